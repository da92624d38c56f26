//! The code by size and coverage, as one picture: each file is a rectangle as large as its lines
//! are many, in a colour that says how many of them are covered.
//!
//! The layout is the squarified treemap of Bruls, Huizing and van Wijk (2000): rows of rectangles
//! along the shorter side, each row as long as its worst rectangle gets no worse.

use std::fmt::Write;

use bincover_model::Tally;

use super::escape;
use super::tree::Folder;
use super::whole_percent;

/// Of the picture; it scales.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 260.0;
/// A folder is drawn as one if its parts would be smaller on average.
const LEAST_AREA: f64 = 600.0;
/// A file that would be smaller is left out.
const LEAST_FILE: f64 = 120.0;

/// A folder or a file with its place.
enum Item<'t> {
    Folder(&'t Folder<'t>, String),
    File(&'t super::Entry),
}

impl Item<'_> {
    fn lines(&self) -> Tally {
        match self {
            Item::Folder(folder, _) => folder.summary.lines,
            Item::File(entry) => entry.summary.lines,
        }
    }
}

#[derive(Clone, Copy)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn size(self) -> f64 {
        self.width * self.height
    }
}

/// The picture as SVG; nothing if there are no lines, or one file alone.
pub(super) fn render(root: &Folder<'_>) -> String {
    let mut svg = String::new();
    let is_alone = root.folders.is_empty() && root.files.len() == 1;
    if root.summary.lines.total == 0 || is_alone {
        return svg;
    }
    // The table has the same links, for those who do not see the picture.
    let _ = write!(
        svg,
        "<svg class=\"map\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\" preserveAspectRatio=\"none\">"
    );
    let whole = Area {
        x: 0.0,
        y: 0.0,
        width: WIDTH,
        height: HEIGHT,
    };
    folder(root, "", whole, &mut svg);
    svg.push_str("</svg>");
    svg
}

fn folder(folder: &Folder<'_>, path: &str, area: Area, svg: &mut String) {
    let inner = folder.folders.iter().map(|inner| {
        let path = match path {
            "" => inner.name.clone(),
            _ => format!("{path}/{}", inner.name),
        };
        Item::Folder(inner, path)
    });
    let files = folder.files.iter().map(|(_, entry)| Item::File(entry));
    let mut items: Vec<Item<'_>> = inner.chain(files).collect();
    items.retain(|item| item.lines().total > 0);
    items.sort_by_key(|item| std::cmp::Reverse(item.lines().total));
    let sizes: Vec<f64> = items.iter().map(|item| float(item.lines().total)).collect();
    for (item, area) in items.iter().zip(squarified(&sizes, area)) {
        match item {
            Item::Folder(inner, path) if has_room(inner, area) => {
                self::folder(inner, path, area, svg);
            }
            Item::Folder(_, path) => rectangle(item.lines(), path, None, area, svg),
            // There may be any number of small ones.
            Item::File(_) if area.size() < LEAST_FILE => {}
            Item::File(entry) => {
                rectangle(item.lines(), &entry.name, Some(&entry.page), area, svg);
            }
        }
    }
}

fn has_room(folder: &Folder<'_>, area: Area) -> bool {
    let parts = folder.folders.len() + folder.files.len();
    area.size() >= LEAST_AREA * float(parts as u64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture needs no exact number"
)]
fn float(number: u64) -> f64 {
    number as f64
}

fn rectangle(lines: Tally, name: &str, page: Option<&str>, area: Area, svg: &mut String) {
    let percent = whole_percent(lines);
    if let Some(page) = page {
        let _ = write!(svg, "<a href=\"{page}\" tabindex=\"-1\">");
    }
    let Area {
        x,
        y,
        width,
        height,
    } = area;
    let _ = write!(
        svg,
        "<rect class=\"t{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>",
        percent / 10
    );
    svg.push_str(&escape::escaped(name.as_bytes()));
    let _ = write!(svg, ": {percent}% of {} lines</title></rect>", lines.total);
    let base = name.rsplit('/').next().unwrap_or(name);
    if height > 20.0 && width > 12.0 + 7.0 * float(base.chars().count() as u64) {
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">", x + 6.0, y + 15.0);
        svg.push_str(&escape::escaped(base.as_bytes()));
        svg.push_str("</text>");
    }
    if page.is_some() {
        svg.push_str("</a>");
    }
}

/// Places for sizes that are sorted, the largest first, and none of them 0.
fn squarified(sizes: &[f64], area: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().sum();
    let scale = area.size() / total;
    let mut places = Vec::with_capacity(sizes.len());
    let mut left = area;
    let mut rest = sizes;
    while let Some(first) = rest.first() {
        let side = left.width.min(left.height);
        // How much longer than wide the worst of a row is.
        let worst = |largest: f64, smallest: f64, sum: f64| {
            let thick = sum / side;
            (thick * thick / smallest).max(largest / (thick * thick))
        };
        let (mut sum, mut count) = (first * scale, 1);
        let largest = first * scale;
        let mut smallest = largest;
        while let Some(next) = rest.get(count) {
            let next = next * scale;
            if worst(largest, next, sum + next) > worst(largest, smallest, sum) {
                break;
            }
            sum += next;
            smallest = next;
            count += 1;
        }
        let thick = if side > 0.0 { sum / side } else { 0.0 };
        let is_column = left.height <= left.width;
        let mut along = if is_column { left.y } else { left.x };
        let (row, others) = rest.split_at(count);
        for size in row {
            let length = if thick > 0.0 {
                size * scale / thick
            } else {
                0.0
            };
            places.push(match is_column {
                true => Area {
                    x: left.x,
                    y: along,
                    width: thick,
                    height: length,
                },
                false => Area {
                    x: along,
                    y: left.y,
                    width: length,
                    height: thick,
                },
            });
            along += length;
        }
        match is_column {
            true => {
                left.x += thick;
                left.width = (left.width - thick).max(0.0);
            }
            false => {
                left.y += thick;
                left.height = (left.height - thick).max(0.0);
            }
        }
        rest = others;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_large_as_their_sizes() {
        let sizes = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let area = Area {
            x: 0.0,
            y: 0.0,
            width: 6.0,
            height: 4.0,
        };
        let places = squarified(&sizes, area);
        assert_eq!(places.len(), sizes.len());
        for (place, size) in places.iter().zip(sizes) {
            assert!((place.size() - size).abs() < 1e-9);
            assert!(place.x + place.width < 6.0 + 1e-9 && place.y + place.height < 4.0 + 1e-9);
        }
    }
}
