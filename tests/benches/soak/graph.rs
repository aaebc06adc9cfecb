//! Owns the picture of a run: memory, descriptors and live sessions over time. Must not know what is promised.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::samples::Sample;
use crate::world::Event;

/// The picture's size, and the height of each panel but the last, which has the title of the
/// common axis.
const SIZE: (u32, u32) = (960, 760);
const PANEL: i32 = 240;
/// Text and axes. The style below gives it the colour of the page's theme.
const INK: RGBColor = RGBColor(1, 2, 3);
const BLUE: RGBColor = RGBColor(47, 129, 247);
const ORANGE: RGBColor = RGBColor(219, 109, 40);
/// The picture has a background of its own, so that it can be read on light and dark pages.
const STYLE: &str = "<style>:root{color:#1f2328;background:#fff}\
    @media(prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}</style>";

struct Line<'a> {
    name: &'a str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

/// Draws it into a file.
pub fn draw(file: &Path, samples: &[Sample], marks: &[(Duration, Event)]) -> Result<()> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let (memory, rest) = root.split_vertically(PANEL);
        let (descriptors, sessions) = rest.split_vertically(PANEL);
        let line = |name, colour, value: fn(&Sample) -> f64| Line {
            name,
            colour,
            points: samples
                .iter()
                .map(|sample| (minutes(sample.at), value(sample)))
                .collect(),
        };
        panel(
            &memory,
            "memory, MB",
            None,
            marks,
            &[
                line("RSS", BLUE, |sample| sample.rss as f64 / 1e6),
                line("PSS", ORANGE, |sample| sample.pss as f64 / 1e6),
            ],
        )?;
        panel(
            &descriptors,
            "open descriptors",
            None,
            marks,
            &[line("descriptors", BLUE, |sample| {
                sample.descriptors as f64
            })],
        )?;
        panel(
            &sessions,
            "sessions",
            Some("minutes since the first visitor (long marks: restarts, short marks: storms)"),
            marks,
            &[line("live sessions", BLUE, |sample| sample.live as f64)],
        )?;
        root.present()?;
    }
    let svg = svg.replace("\"#010203\"", "\"currentColor\"");
    let svg = svg.replacen('>', &format!(">\n{STYLE}"), 1);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(file, svg)?)
}

fn panel(
    area: &DrawingArea<SVGBackend, Shift>,
    title: &str,
    time: Option<&str>,
    marks: &[(Duration, Event)],
    lines: &[Line],
) -> Result<()> {
    let most = |of: fn(&(f64, f64)) -> f64| {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(of)
            .fold(1.0, f64::max)
    };
    let (end, top) = (most(|point| point.0), most(|point| point.1) * 1.1);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 64)
        .set_label_area_size(
            LabelAreaPosition::Bottom,
            if time.is_some() { 44 } else { 24 },
        )
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    let text = ("sans-serif", 14).into_font().color(&INK);
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .y_labels(5)
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.15))
        .axis_style(INK)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_label_formatter(&|minute| format!("{}", (minute * 100.0).round() / 100.0))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .y_desc(title);
    if let Some(time) = time {
        mesh.x_desc(time);
    }
    mesh.draw()?;
    mark(&mut chart, marks, 0.0..top)?;
    for line in lines {
        let style = line.colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    // A single line is what the axis says.
    if lines.len() < 2 {
        return Ok(());
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(TRANSPARENT)
        .label_font(text)
        .draw()?;
    Ok(())
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// A line over the whole height for each restart, a short one below for each storm.
fn mark(chart: &mut Chart, marks: &[(Duration, Event)], height: Range<f64>) -> Result<()> {
    for (wanted, share, strength) in [(Event::Restart, 1.0, 0.45), (Event::Storm, 0.08, 0.9)] {
        let style = INK.mix(strength).stroke_width(1);
        let of_kind = marks.iter().filter(|(_, event)| *event == wanted);
        let drawn = of_kind.map(|(at, _)| {
            let at = minutes(*at);
            PathElement::new([(at, height.start), (at, height.end * share)], style)
        });
        chart.draw_series(drawn)?;
    }
    Ok(())
}
