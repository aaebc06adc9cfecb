//! Owns the charts: numbers over time, drawn on the server as SVG, each with a table of its values.
//! Must not know what is counted.
//!
//! A picture has one column for each step of its time, whether something happened in it or not. Its
//! shapes are stretched to the width that there is; all words stand beside them as HTML and keep
//! their size, so that a chart can be read on a phone. Colours and strokes are the style sheet's.
//! Each column names its values to the pointer; the console's script reads them out for the arrow
//! keys.

use std::fmt::Write as _;

use askama::Template;

/// How many series have a colour of their own; more are drawn in the last one.
const SERIES: usize = 6;
/// How many steps have a label below the picture at most, and how many letters these have together
/// that stand side by side on a phone.
const TICKS: usize = 6;
const LETTERS: usize = 34;
/// The last label is centred below its step if it has no more letters; a longer one ends there.
const CENTRED: usize = 6;
/// The width of a column, and the height of the picture, in its own units.
const COLUMN: usize = 10;
const HEIGHT: f64 = 100.0;
/// How much of a column a bar leaves free on each side.
const MARGIN: f64 = 1.4;

/// A row of numbers with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is counted.
    pub name: String,
    /// One number for each step of the chart; `None` where there is none, such as a median of
    /// nothing.
    pub values: Vec<Option<f64>>,
}

/// How the numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each step has a bar, in which the series stand on each other.
    Bars,
    /// Each series is a line over the steps.
    Lines,
}

/// One step of the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Below the picture, such as `14:00`.
    pub short: String,
    /// In the table and for the pointer, such as `Mon 23 Nov, 14:00`.
    pub long: String,
}

/// A chart with its title, its legend and its table.
#[derive(Clone, Debug, Template)]
#[template(path = "console/chart.html")]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What it comes to, in a sentence; read to those who do not see it.
    pub summary: String,
    /// The steps of the time, without gaps.
    pub labels: Vec<Label>,
    /// What stands over the labels in the table, such as `Hour (Europe/Berlin)`.
    pub axis: String,
    /// The unit of the numbers, such as `s`; empty for counts.
    pub unit: &'static str,
    /// The numbers.
    pub series: Vec<Series>,
    /// The same of the period before, drawn as a line behind them.
    pub before: Option<Series>,
    /// How they are drawn.
    pub shape: Shape,
}

impl Chart {
    /// Whether it wants the whole width.
    pub fn is_wide(&self) -> bool {
        self.shape == Shape::Bars
    }

    /// All series, as the table has them.
    fn columns(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().chain(&self.before)
    }

    /// The name of a column of the table, with its unit.
    fn heading(&self, series: &Series) -> String {
        if self.unit.is_empty() {
            series.name.clone()
        } else {
            format!("{} ({})", series.name, self.unit)
        }
    }

    /// Whether there is anything to draw.
    fn is_empty(&self) -> bool {
        let is_nothing = |value: &Option<f64>| value.is_none_or(|value| value == 0.0);
        self.labels.is_empty()
            || self
                .columns()
                .all(|series| series.values.iter().all(is_nothing))
    }

    /// The class of the series at this place.
    fn class(index: usize) -> String {
        format!("s{}", index.min(SERIES - 1) + 1)
    }

    /// The class and the name of each series.
    fn legend(&self) -> Vec<(String, &str)> {
        let named = self.series.iter().enumerate();
        let before = self
            .before
            .iter()
            .map(|series| ("before".to_owned(), series));
        named
            .map(|(index, series)| (Self::class(index), series))
            .chain(before)
            .map(|(class, series)| (class, series.name.as_str()))
            .collect()
    }

    /// What stands beside the picture, from top to bottom.
    fn scale(&self) -> [String; 3] {
        let top = self.top();
        [top, top / 2.0, 0.0].map(|value| number(value, self.unit))
    }

    /// What stands below the picture: where, in percent of its width, what, and whether that is the
    /// end of a long label and not its middle.
    fn ticks(&self) -> Vec<(String, &str, bool)> {
        let count = self.labels.len();
        let letters = self.labels.iter().map(|label| label.short.chars().count());
        let most = LETTERS / letters.max().unwrap_or(1).max(1);
        let step = count.div_ceil(most.clamp(2, TICKS)).max(1);
        // The newest step is the one that people look for.
        let first = count.saturating_sub(1) % step;
        let at = |index: usize| format!("{:.1}", (index as f64 + 0.5) / count as f64 * 100.0);
        let labels = self.labels.iter().enumerate().skip(first).step_by(step);
        labels
            .map(|(index, label)| {
                let is_long = index + 1 == count && label.short.chars().count() > CENTRED;
                (at(index), label.short.as_str(), is_long)
            })
            .collect()
    }

    fn width(&self) -> usize {
        self.labels.len() * COLUMN
    }

    /// The end of the vertical axis.
    fn top(&self) -> f64 {
        let at = |index: usize| {
            let of = move |series: &Series| series.values.get(index).copied().flatten();
            let all = self.series.iter().filter_map(of);
            let most = match self.shape {
                Shape::Bars => all.sum::<f64>(),
                Shape::Lines => all.fold(0.0, f64::max),
            };
            self.before.as_ref().and_then(of).unwrap_or(0.0).max(most)
        };
        let highest = (0..self.labels.len()).map(at).fold(0.0, f64::max);
        round_up(highest, if self.unit == "$" { 0.04 } else { 4.0 })
    }

    /// The shapes, as SVG; made of numbers and our own words.
    fn shapes(&self) -> String {
        let (top, mut svg) = (self.top(), String::new());
        let width = self.width();
        _ = write!(
            svg,
            "<path class=\"grid\" d=\"M0 0H{width}M0 50H{width}M0 100H{width}\"/>"
        );
        match self.shape {
            Shape::Bars => self.bars(&mut svg, top),
            Shape::Lines => {
                for (index, series) in self.series.iter().enumerate() {
                    line(&mut svg, &Self::class(index), series, top);
                }
            }
        }
        if let Some(before) = &self.before {
            // A line of two colours can be seen over bars and beside them.
            line(&mut svg, "halo", before, top);
            line(&mut svg, "before", before, top);
        }
        svg
    }

    fn bars(&self, svg: &mut String, top: f64) {
        let mut stacked = vec![0.0; self.labels.len()];
        for (index, series) in self.series.iter().enumerate() {
            _ = write!(svg, "<g class=\"{}\">", Self::class(index));
            for (at, (value, below)) in series.values.iter().zip(&mut stacked).enumerate() {
                let Some(value) = value.filter(|value| *value > 0.0) else {
                    continue;
                };
                let height = value / top * HEIGHT;
                let y = HEIGHT - *below - height;
                _ = write!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{y:.2}\" width=\"{:.1}\" height=\"{height:.2}\"/>",
                    (at * COLUMN) as f64 + MARGIN,
                    COLUMN as f64 - 2.0 * MARGIN
                );
                *below += height;
            }
            svg.push_str("</g>");
        }
    }

    /// What the pointer reads in each column: where it begins, and its values in words.
    fn hits(&self) -> Vec<(usize, String)> {
        let words = |index: usize| {
            let said = self.columns().filter_map(|series| {
                let value = series.values.get(index).copied().flatten()?;
                // Of counts, those that are nothing are not named.
                if value == 0.0 && self.unit.is_empty() {
                    return None;
                }
                let unit = if self.unit.is_empty() || self.unit == "$" {
                    String::new()
                } else {
                    format!("\u{a0}{}", self.unit)
                };
                let value = number(value, self.unit);
                Some(format!("{} {value}{unit}", series.name))
            });
            said.collect::<Vec<_>>().join(", ")
        };
        let labels = self.labels.iter().enumerate();
        labels
            .map(|(index, label)| {
                let words = words(index);
                let words = if words.is_empty() { "nothing" } else { &words };
                (index * COLUMN, format!("{}: {words}", label.long))
            })
            .collect()
    }

    /// The rows of the table: a label and its numbers.
    fn rows(&self) -> Vec<(&str, Vec<String>)> {
        let numbers = |at: usize| {
            self.columns().map(move |series| {
                let value = series.values.get(at).copied().flatten();
                value.map_or_else(|| "\u{2013}".to_owned(), |value| number(value, self.unit))
            })
        };
        self.labels
            .iter()
            .enumerate()
            .map(|(at, label)| (label.long.as_str(), numbers(at).collect()))
            .collect()
    }
}

/// A line through the middles of the columns, interrupted where there is no number. A number alone
/// becomes a dot.
fn line(svg: &mut String, class: &str, series: &Series, top: f64) {
    let mut path = String::new();
    let mut is_on = false;
    for (at, value) in series.values.iter().enumerate() {
        let Some(value) = value else {
            is_on = false;
            continue;
        };
        let (x, y) = (at * COLUMN + COLUMN / 2, HEIGHT - value / top * HEIGHT);
        let alone = !is_on && series.values.get(at + 1).copied().flatten().is_none();
        _ = write!(path, "{}{x} {y:.2}", if is_on { 'L' } else { 'M' });
        if alone {
            path.push_str("h0");
        }
        is_on = true;
    }
    _ = write!(svg, "<path class=\"line {class}\" d=\"{path}\"/>");
}

/// The next number that makes a good end of an axis; at least `least`.
fn round_up(highest: f64, least: f64) -> f64 {
    let wanted = highest.max(least);
    let power = 10f64.powf(wanted.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|end| *end >= wanted - 1e-9)
        .unwrap_or(wanted)
}

/// A number without digits that say nothing. What is something does not become nothing.
fn number(value: f64, unit: &str) -> String {
    if unit == "$" {
        return match value {
            value if value > 0.0 && value < 0.005 => "< $0.01".to_owned(),
            value => format!("${value:.2}"),
        };
    }
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
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        Chart {
            title: "Launches".into(),
            summary: "Some.".into(),
            labels: (0..values.len())
                .map(|hour| Label {
                    short: format!("{hour:02}:00"),
                    long: format!("Mon {hour:02}:00"),
                })
                .collect(),
            axis: "Hour".into(),
            unit: "",
            series: vec![
                Series {
                    name: "Launched".into(),
                    values: values.clone(),
                },
                Series {
                    name: "Too many <b>".into(),
                    values,
                },
            ],
            before: None,
            shape,
        }
    }

    #[test]
    fn chart_svg_has_no_inline_colour_or_style() {
        for shape in [Shape::Bars, Shape::Lines] {
            let html = chart(shape, &[1.0, 3.0, 0.0]).to_string();
            assert!(html.contains("s1\"") && html.contains("s2\""), "{html}");
            for word in ["style=", "fill=", "stroke=", "<b>"] {
                assert!(!html.contains(word), "{word} in {html}");
            }
        }
    }

    #[test]
    fn chart_table_and_columns_have_every_number() {
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
            "<title>Mon 01:00: Launched 3.2, Too many &#60;b&#62; 3.2</title>",
        ] {
            assert!(html.contains(cell), "{cell} in {html}");
        }
    }

    #[test]
    fn steps_without_a_number_interrupt_the_line() {
        let mut chart = chart(Shape::Lines, &[4.0; 5]);
        chart.series = vec![Series {
            name: "Median".into(),
            values: vec![Some(2.0), Some(4.0), None, Some(1.0), None],
        }];
        let html = chart.to_string();
        assert!(html.contains("d=\"M5 50.00L15 0.00M35 75.00h0\""), "{html}");
        assert_eq!(html.matches("<title>").count(), 5, "no hour is left out");
        assert!(html.contains("<title>Mon 02:00: nothing</title>"), "{html}");
    }

    #[test]
    fn period_before_is_a_line_and_a_column() {
        let mut chart = chart(Shape::Bars, &[1.0, 3.0]);
        chart.before = Some(Series {
            name: "Launched before".into(),
            values: vec![Some(20.0), Some(2.0)],
        });
        let html = chart.to_string();
        assert!(html.contains("class=\"line before\""), "{html}");
        assert!(html.contains(">Launched before</th>"), "{html}");
        assert!(html.contains(">20<"), "the axis reaches it: {html}");
    }

    #[test]
    fn ticks_are_few_and_the_newest_has_one() {
        for (count, expected, last) in [
            (1, 1, "50.0"),
            (6, 6, "91.7"),
            (24, 6, "97.9"),
            (90, 6, "99.4"),
        ] {
            let chart = chart(Shape::Bars, &vec![1.0; count]);
            let ticks = chart.ticks();
            assert_eq!(ticks.len(), expected, "{count}");
            assert_eq!(ticks.last().expect("a tick").0, last, "{count}");
        }
    }

    #[test]
    fn long_tick_labels_are_fewer_and_end_in_the_picture() {
        let mut chart = chart(Shape::Bars, &[1.0; 48]);
        for label in &mut chart.labels {
            label.short = format!("Mon {}", label.short);
        }
        let ticks = chart.ticks();
        assert_eq!(ticks.len(), 3);
        let ends: Vec<bool> = ticks.iter().map(|(_, _, is_long)| *is_long).collect();
        assert_eq!(ends, [false, false, true]);
        assert!(chart.to_string().contains("class=\"long\""));
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
            let found = round_up(highest, 4.0);
            assert!((found - end).abs() < 1e-9, "{highest}: {found}");
        }
        assert!((round_up(0.11, 0.04) - 0.15).abs() < 1e-9);
    }

    #[test]
    fn money_has_cents() {
        for (value, words) in [(0.0, "$0.00"), (0.001, "< $0.01"), (12.5, "$12.50")] {
            assert_eq!(number(value, "$"), words);
        }
    }
}
