//! Owns the charts: numbers over time, drawn on the server as SVG, each with a table of its values.
//! Must not know what is counted.
//!
//! The drawing library gets placeholder colours, which are replaced by properties of the style
//! sheet, so that a chart works in the light and dark theme.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The stand-ins and what becomes of them.
const INKS: [(RGBColor, &str, &str); 9] = [
    (RGBColor(1, 0, 0), "#010000", "var(--s1)"),
    (RGBColor(2, 0, 0), "#020000", "var(--s2)"),
    (RGBColor(3, 0, 0), "#030000", "var(--s3)"),
    (RGBColor(4, 0, 0), "#040000", "var(--s4)"),
    (RGBColor(5, 0, 0), "#050000", "var(--s5)"),
    (RGBColor(6, 0, 0), "#060000", "var(--s6)"),
    (RGBColor(7, 0, 0), "#070000", "var(--soft)"),
    (RGBColor(8, 0, 0), "#080000", "var(--line)"),
    (RGBColor(9, 0, 0), "#090000", "var(--card)"),
];
const TEXT: usize = 6;
const GRID: usize = 7;
const GAP: usize = 8;
/// How many series have a colour of their own; more are drawn in the last one.
const SERIES: usize = 6;

/// A row of numbers with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is counted.
    pub name: String,
    /// One number for each label of the chart.
    pub values: Vec<f64>,
}

/// How the numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each label has a bar, in which the series stand on each other.
    Bars,
    /// Each series is a line over the labels.
    Lines,
}

/// A chart with its title, its legend and its table.
#[derive(Clone, Debug, Template)]
#[template(path = "console/chart.html")]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What it comes to, in a sentence; read to those who do not see it.
    pub summary: String,
    /// What stands along the bottom, such as `14:00`.
    pub labels: Vec<String>,
    /// What stands over the labels in the table, such as `Hour (UTC)`.
    pub axis: &'static str,
    /// The unit of the numbers, such as `s`; empty for counts.
    pub unit: &'static str,
    /// The numbers.
    pub series: Vec<Series>,
    /// How they are drawn.
    pub shape: Shape,
}

impl Shape {
    /// How large the picture is, in its own units. Two charts of lines stand beside each other.
    const fn size(self) -> (u32, u32) {
        match self {
            Self::Bars => (760, 220),
            Self::Lines => (520, 210),
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Bars => "plot bars",
            Self::Lines => "plot",
        }
    }
}

impl Chart {
    /// Whether it wants the whole width.
    pub fn is_wide(&self) -> bool {
        self.shape == Shape::Bars
    }

    /// Whether there is anything to draw.
    fn is_empty(&self) -> bool {
        self.labels.is_empty()
            || self
                .series
                .iter()
                .all(|series| series.values.iter().all(|value| *value == 0.0))
    }

    /// Whether there is enough for a picture: a line needs two ends.
    fn has_picture(&self) -> bool {
        self.shape == Shape::Bars || self.labels.len() > 1
    }

    /// The picture. Empty when it cannot be drawn: the table says it all.
    fn picture(&self) -> String {
        let mut svg = String::new();
        if self.draw(&mut svg).is_none() {
            tracing::error!(
                "The chart \u{201c}{}\u{201d} could not be drawn",
                self.title
            );
            return String::new();
        }
        for (_, stand_in, property) in INKS {
            svg = svg.replace(stand_in, property);
        }
        // The figure around it has the words; the picture itself only repeats them. Its size is the
        // style sheet's.
        let (width, height) = self.shape.size();
        let size = format!("width=\"{width}\" height=\"{height}\" ");
        let tag = format!(
            "<svg class=\"{}\" aria-hidden=\"true\" focusable=\"false\"",
            self.shape.class()
        );
        svg.replacen(&size, "", 1).replacen("<svg", &tag, 1)
    }

    fn draw(&self, svg: &mut String) -> Option<()> {
        let root = SVGBackend::with_string(svg, self.shape.size()).into_drawing_area();
        let count = self.labels.len();
        let top = round_up(self.highest());
        let lines = self.shape == Shape::Lines;
        // A line goes from the first label to the last; bars stand between two marks.
        let width = if lines {
            count.saturating_sub(1).max(1) as f64
        } else {
            count as f64
        };
        let text = ink(TEXT);
        let style = TextStyle::from(("sans-serif", if lines { 16 } else { 14 })).color(&text);
        let mut chart = ChartBuilder::on(&root)
            .margin_top(10)
            .margin_right(18)
            .x_label_area_size(26)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..width, 0.0..top)
            .ok()?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_labels(4)
            .y_label_style(style.clone())
            .y_label_formatter(&|value| number(*value))
            .light_line_style(TRANSPARENT)
            .bold_line_style(ink(GRID))
            .axis_style(ink(GRID))
            .draw()
            .ok()?;
        let baseline: Vec<(f64, (i32, i32))> = (0..count)
            .map(|index| {
                let x = if lines {
                    index as f64
                } else {
                    index as f64 + 0.5
                };
                (x, chart.backend_coord(&(x, 0.0)))
            })
            .collect();
        if lines {
            for (index, series) in self.series.iter().enumerate() {
                let points: Vec<(f64, f64)> = series
                    .values
                    .iter()
                    .enumerate()
                    .map(|(at, value)| (at as f64, *value))
                    .collect();
                let colour = ink(index.min(SERIES - 1));
                if self.series.len() == 1 {
                    chart
                        .draw_series(AreaSeries::new(points.clone(), 0.0, colour.mix(0.12)))
                        .ok()?;
                }
                chart
                    .draw_series(LineSeries::new(points, colour.stroke_width(2)))
                    .ok()?;
            }
        } else {
            for at in 0..count {
                let mut from = 0.0;
                for (index, series) in self.series.iter().enumerate() {
                    let value = series.values.get(at).copied().unwrap_or_default();
                    if value > 0.0 {
                        let corners = [(at as f64 + 0.14, from), (at as f64 + 0.86, from + value)];
                        chart
                            .draw_series([Rectangle::new(
                                corners,
                                ink(index.min(SERIES - 1)).filled(),
                            )])
                            .ok()?;
                        if from > 0.0 {
                            // A hairline keeps two neighbours apart for those who cannot tell their
                            // colours.
                            let seam = vec![(at as f64 + 0.14, from), (at as f64 + 0.86, from)];
                            chart.draw_series(LineSeries::new(seam, ink(GAP))).ok()?;
                        }
                        from += value;
                    }
                }
            }
        }
        let step = count.div_ceil(if lines { 6 } else { 8 }).max(1);
        let centred = style.pos(Pos::new(HPos::Center, VPos::Top));
        for ((_, (x, y)), label) in baseline.into_iter().zip(&self.labels).step_by(step) {
            root.draw(&Text::new(label.clone(), (x, y + 9), centred.clone()))
                .ok()?;
        }
        drop(chart);
        root.present().ok()
    }

    fn highest(&self) -> f64 {
        let at = |index: usize| {
            self.series
                .iter()
                .map(move |series| series.values.get(index).copied().unwrap_or_default())
        };
        let each = (0..self.labels.len()).map(|index| match self.shape {
            Shape::Bars => at(index).sum(),
            Shape::Lines => at(index).fold(0.0, f64::max),
        });
        each.fold(0.0, f64::max)
    }

    /// The rows of the table: a label and its numbers.
    fn rows(&self) -> Vec<(&str, Vec<String>)> {
        let numbers = |at: usize| {
            self.series
                .iter()
                .map(move |series| number(series.values.get(at).copied().unwrap_or_default()))
        };
        self.labels
            .iter()
            .enumerate()
            .map(|(at, label)| (label.as_str(), numbers(at).collect()))
            .collect()
    }
}

fn ink(index: usize) -> RGBColor {
    INKS.get(index).map_or(BLACK, |(colour, _, _)| *colour)
}

/// The next number that makes a good end of an axis.
fn round_up(highest: f64) -> f64 {
    let wanted = highest.max(4.0);
    let power = 10f64.powf(wanted.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|end| *end >= wanted)
        .unwrap_or(wanted)
}

/// A number without digits that say nothing. What is something does not become nothing.
fn number(value: f64) -> String {
    if value > 0.0 && value < 0.05 {
        return "< 0.1".to_owned();
    }
    if value.fract().abs() < 0.05 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(shape: Shape, values: &[f64]) -> Chart {
        Chart {
            title: "Launches".into(),
            summary: "Some.".into(),
            labels: (0..values.len())
                .map(|hour| format!("{hour:02}:00"))
                .collect(),
            axis: "Hour",
            unit: "",
            series: vec![
                Series {
                    name: "Launched".into(),
                    values: values.to_vec(),
                },
                Series {
                    name: "Too many <b>".into(),
                    values: values.to_vec(),
                },
            ],
            shape,
        }
    }

    #[test]
    fn chart_svg_has_no_inline_colour_or_style() {
        for shape in [Shape::Bars, Shape::Lines] {
            let html = chart(shape, &[1.0, 3.0, 0.0]).to_string();
            assert!(
                html.contains("var(--s1)") && html.contains("var(--s2)"),
                "{html}"
            );
            for word in ["#0", "style=", "<b>"] {
                assert!(!html.contains(word), "{word} in {html}");
            }
        }
    }

    #[test]
    fn chart_table_has_every_number() {
        let html = chart(Shape::Bars, &[1.0, 3.25, 0.0, 0.04, 0.06]).to_string();
        for cell in [
            ">1<",
            ">3.2<",
            ">0<",
            ">&#60; 0.1<",
            ">0.1<",
            "00:00",
            "01:00",
            "02:00",
        ] {
            assert!(html.contains(cell), "{cell} in {html}");
        }
    }

    #[test]
    fn chart_without_data_shows_a_message() {
        for values in [&[][..], &[0.0, 0.0]] {
            let html = chart(Shape::Bars, values).to_string();
            assert!(
                !html.contains("<svg") && html.contains("Nothing yet"),
                "{html}"
            );
        }
    }

    #[test]
    fn axis_ends_on_a_round_number() {
        for (highest, end) in [
            (0.0, 4.0),
            (3.0, 4.0),
            (7.0, 8.0),
            (11.0, 15.0),
            (99.0, 100.0),
            (1200.0, 1500.0),
        ] {
            assert!(
                (round_up(highest) - end).abs() < 1e-9,
                "{highest}: {}",
                round_up(highest)
            );
        }
    }
}
