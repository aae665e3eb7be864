//! Figures as Vega-Lite specifications, for those who want to change them.

use serde_json::{Value, json};

use super::{Figure, Panel};

pub(super) fn spec(figure: &Figure) -> String {
    let panels: Vec<Value> = figure.panels.iter().map(panel).collect();
    let spec = json!({
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": figure.title,
        "description": figure.caption,
        "hconcat": panels,
    });
    let mut text = serde_json::to_string_pretty(&spec).unwrap_or_default();
    text.push('\n');
    text
}

fn panel(panel: &Panel) -> Value {
    let rows: Vec<Value> = panel
        .series
        .iter()
        .flat_map(|series| series.points.iter().enumerate().map(move |(order, p)| (series, order, p)))
        .map(|(series, order, p)| {
            let (low, high) = p.interval.unwrap_or((f64::NAN, f64::NAN));
            // NaN and infinities become null, which Vega leaves out.
            json!({"series": series.label, "order": order, "x": p.x, "y": p.y, "low": low, "high": high, "note": p.note})
        })
        .collect();
    let scale = |axis: &super::Axis| match axis.reach {
        Some((low, high)) => json!({"domain": {"unionWith": [low, high]}, "zero": false}),
        None => json!({"zero": false}),
    };
    let x = json!({"field": "x", "type": "quantitative", "title": panel.x.label, "scale": scale(&panel.x)});
    let y = json!({"field": "y", "type": "quantitative", "title": panel.y.label, "scale": scale(&panel.y)});
    let color = json!({"field": "series", "type": "nominal", "title": null});
    let mut layers = vec![];
    if panel.series.iter().any(|series| series.band) {
        layers.push(json!({
            "mark": {"type": "area", "opacity": 0.15},
            "encoding": {
                "x": x.clone(),
                "y": {"field": "low", "type": "quantitative", "title": panel.y.label},
                "y2": {"field": "high"},
                "color": color.clone(),
            },
        }));
    }
    layers.push(json!({
        "mark": {"type": "line", "point": true},
        "encoding": {
            "x": x, "y": y, "color": color,
            "order": {"field": "order"},
            "tooltip": [{"field": "series"}, {"field": "note"}, {"field": "x"}, {"field": "y"}],
        },
    }));
    json!({"title": panel.title, "width": 360, "height": 300, "data": {"values": rows}, "layer": layers})
}
