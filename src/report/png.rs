//! Figures as pixels, for places that take no SVG.

use std::sync::{Arc, OnceLock};

use resvg::{tiny_skia, usvg};
use usvg::fontdb::{Database, Family, Query};

/// Pixels for a unit of the drawing: a figure of 880 units is wide enough for print.
const SCALE: f32 = 2.0;

/// Families that are looked for, the first found is used.
const FAMILIES: [&str; 8] = [
    "DejaVu Sans",
    "Liberation Sans",
    "Noto Sans",
    "Open Sans",
    "Roboto",
    "Helvetica",
    "Arial",
    "Segoe UI",
];

/// The machine's fonts with a sans-serif family chosen; `None` where there are none, and a figure
/// would have no words.
fn fonts() -> Option<&'static Arc<Database>> {
    static FONTS: OnceLock<Option<Arc<Database>>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        let has = |family: &&str| {
            let query = Query { families: &[Family::Name(family)], ..Query::default() };
            fonts.query(&query).is_some()
        };
        let first = || fonts.faces().next()?.families.first().map(|(name, _)| name.clone());
        let family = FAMILIES.iter().find(|family| has(family)).map(|f| (*f).to_owned());
        fonts.set_sans_serif_family(family.or_else(first)?);
        Some(Arc::new(fonts))
    };
    FONTS.get_or_init(load).as_ref()
}

/// An SVG document as a PNG file; `None` where the machine has no fonts or the document is none.
pub fn png(svg: &str) -> Option<Vec<u8>> {
    let options = usvg::Options { fontdb: fonts()?.clone(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).ok()?;
    let size = tree.size().to_int_size().scale_by(SCALE)?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_becomes_as_many_pixels_as_are_asked_for() {
        let svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 10'>\
                   <rect width='20' height='10' fill='#ff0000'/></svg>";
        let Some(bytes) = png(svg) else {
            return crate::shared_data::skipped("png", "this machine has no fonts");
        };
        let pixels = tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (40, 20));
        let color = pixels.pixel(39, 19).unwrap();
        assert_eq!((color.red(), color.green(), color.blue()), (255, 0, 0));
        assert_eq!(png("no svg"), None);
    }
}
