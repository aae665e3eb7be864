use super::*;

fn figure() -> Figure {
    let point = |x, y: f64| Point {
        x,
        y,
        interval: Some((y - 0.1, y + 0.1)),
        note: "</title><script>".to_owned(),
        ..Point::default()
    };
    let series = Series {
        label: "a & b".to_owned(),
        look: Look::line(0),
        points: vec![point(0.5, 0.25), point(1.0, 0.5), point(1.5, f64::NAN), point(2.0, 0.75)],
        band: true,
    };
    Figure {
        name: "test".to_owned(),
        title: "A <title>".to_owned(),
        caption: "How it is read.".to_owned(),
        legend: vec![Key { label: "a & b".to_owned(), look: series.look }],
        panels: vec![Panel {
            title: "one".to_owned(),
            x: Axis::free("temperature"),
            y: Axis::unit("precision"),
            series: vec![series],
        }],
    }
}

#[test]
fn a_drawing_is_the_same_bytes_and_well_formed() {
    let svg = figure().svg(Theme::File);
    assert_eq!(svg, figure().svg(Theme::File));
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("A &lt;title&gt;") && svg.contains("a &amp; b"));
    assert!(!svg.contains("<script>") && svg.contains("&lt;/title&gt;&lt;script&gt;"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(
        svg.contains("class=\"paper\"") && !figure().svg(Theme::Inline).contains("class=\"paper\"")
    );
}

#[test]
fn an_undefined_value_breaks_the_line_and_is_no_point() {
    let svg = figure().svg(Theme::Inline);
    let line = svg.lines().find(|l| l.contains("class=\"l c0 d0\"") && l.contains('L')).unwrap();
    assert_eq!(line.matches('M').count(), 2, "{line}");
    assert_eq!(svg.matches("<title>&lt;/title").count(), 3);
}

#[test]
fn the_vega_specification_holds_the_data() {
    let spec: serde_json::Value = serde_json::from_str(&figure().vega()).unwrap();
    let values = spec["hconcat"][0]["data"]["values"].as_array().unwrap();
    assert_eq!(values.len(), 4);
    assert_eq!(values[1]["y"], 0.5);
    assert!(values[2]["y"].is_null());
}

#[test]
fn words_beside_points_never_cover_each_other() {
    let mut figure = figure();
    let point = |i: usize| Point {
        x: 0.5 + 0.002 * i as f64,
        y: 0.5 + 0.003 * (i % 3) as f64,
        mark: Some(format!("1.{i}")),
        ..Point::default()
    };
    let crowd =
        Series { points: (0..12).map(point).collect(), ..figure.panels[0].series[0].clone() };
    figure.panels[0].x = Axis::unit("recall");
    figure.panels[0].series = vec![crowd];
    let svg = figure.svg(Theme::Inline);
    let number = |text: &str| text.split('"').next().unwrap().parse::<f64>().unwrap();
    let words: Vec<(f64, f64, f64)> = svg
        .lines()
        .filter(|line| line.contains("class=\"n "))
        .map(|line| {
            let (_, rest) = line.split_once("x=\"").unwrap();
            let (x, y) = (number(rest), number(rest.split_once("y=\"").unwrap().1));
            let text = line.split_once('>').unwrap().1.trim_end_matches("</text>");
            let width = 6.5 * text.len() as f64;
            let left = if line.contains(" e\"") { x - width } else { x };
            (left, left + width, y)
        })
        .collect();
    assert!(words.len() >= 2 && words.len() < 12, "{words:?}");
    assert!(svg.contains(">1.0</text>") && svg.contains(">1.11</text>"), "{svg}");
    for (i, a) in words.iter().enumerate() {
        for b in &words[..i] {
            let apart = a.1 <= b.0 || b.1 <= a.0 || (a.2 - b.2).abs() >= 9.9;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

#[test]
fn titles_of_many_panels_stand_apart_and_inside_the_drawing() {
    let mut figure = figure();
    let titles = [
        "Precision (quality)",
        "Recall of accepted texts alone",
        "Recall, extrapolated to infinity",
    ];
    let panel = |title: &&str| Panel { title: (*title).to_owned(), ..figure.panels[0].clone() };
    figure.panels = titles.iter().chain(&titles[..2]).map(panel).collect();
    let svg = figure.svg(Theme::File);
    let size = svg.split_once("viewBox=\"0 0 ").unwrap().1.split('"').next().unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    let (width, height): (f64, f64) = (width.parse().unwrap(), height.parse().unwrap());
    let number = |text: &str| text.split('"').next().unwrap().parse::<f64>().unwrap();
    let found: Vec<(f64, f64, f64)> = svg
        .lines()
        .filter(|line| line.contains("class=\"t\""))
        .map(|line| {
            let (_, rest) = line.split_once("x=\"").unwrap();
            let text = line.split_once('>').unwrap().1.trim_end_matches("</text>");
            let (x, y) = (number(rest), number(rest.split_once("y=\"").unwrap().1));
            (x, x + 6.9 * text.chars().count() as f64, y)
        })
        .collect();
    assert!(found.len() > 5, "the longest title takes two lines: {found:?}");
    for (i, a) in found.iter().enumerate() {
        assert!(a.1 <= width && a.2 < height, "{a:?} in {width} x {height}");
        for b in &found[..i] {
            assert!(a.1 <= b.0 || b.1 <= a.0 || (a.2 - b.2).abs() > 12.0, "{a:?} {b:?}");
        }
    }
}
