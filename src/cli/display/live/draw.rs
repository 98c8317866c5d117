//! The screen: what is done, how far it is, and the curves, as much of it as there is room for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chart::Curves;
use super::view::{Stage, View};
use crate::cli::display::{clock, percent};

/// Smallest chart that shows anything, with its frame and axes.
const CHART: (u16, u16) = (28, 7);
/// Two charts stand side by side where each is so wide.
const WIDE: u16 = 38;
/// Space between two figures of a line.
const BETWEEN: usize = 3;
/// A terminal as high as this has room for empty lines.
const HIGH: u16 = 30;
/// In one as narrow as this the bars' words stand close.
const NARROW: usize = 60;

/// Draws the view, so many seconds after the display began.
pub fn draw(frame: &mut Frame<'_>, view: &View, stopping: bool, seconds: f64, colours: bool) {
    let area = frame.area();
    let width = usize::from(area.width);
    let empty = || (area.height >= HIGH).then(Line::default);
    let mut lines = vec![head(view, stopping, width)];
    lines.extend(empty());
    lines.extend(bars(view, width));
    lines.extend(empty());
    lines.extend(packed(&figures(view, seconds), width));
    lines.extend(empty());
    let note = view.note.as_deref().map(|note| Line::from(format!("note: {note}")));
    let wanted = lines.len() as u16;
    let rest = area.height.saturating_sub(wanted + u16::from(note.is_some()));
    let charts = if rest >= CHART.1 && area.width >= CHART.0 { rest } else { 0 };
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(wanted),
        Constraint::Length(charts),
        Constraint::Length(u16::from(note.is_some())),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(lines), top);
    if charts > 0 {
        curves(frame, view, middle, colours);
    }
    if let Some(note) = note {
        frame.render_widget(Paragraph::new(note), bottom);
    }
}

/// Side by side, one above the other, or only the loss.
fn curves(frame: &mut Frame<'_>, view: &View, area: Rect, colours: bool) {
    let (loss, accuracy) = (Curves::loss(view), Curves::accuracy(view));
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let areas = if area.width >= 2 * WIDE {
        Layout::horizontal(halves).split(area)
    } else if area.height >= 2 * CHART.1 {
        Layout::vertical(halves).split(area)
    } else {
        Layout::vertical([Constraint::Fill(1)]).split(area)
    };
    for (curves, &area) in [loss, accuracy].iter().zip(areas.iter()) {
        frame.render_widget(curves.chart(area.width, colours), area);
    }
}

/// What is trained on the left, what the keys do on the right.
fn head(view: &View, stopping: bool, width: usize) -> Line<'static> {
    let name = format!("training {}", view.about.network);
    let keys = match stopping {
        true => "stopping after this step, the best model is kept",
        false => "q stops, the best model is kept",
    };
    let room = width.saturating_sub(name.chars().count() + BETWEEN);
    let keys = if keys.chars().count() <= room {
        keys
    } else if stopping {
        "stopping"
    } else {
        "q stops"
    };
    let gap = width.saturating_sub(name.chars().count() + keys.chars().count()).max(1);
    let style = if stopping { bold() } else { dim() };
    Line::from(vec![Span::styled(name, bold()), Span::from(" ".repeat(gap)), Span::styled(keys, style)])
}

/// How far the run is, and how far what is being done.
fn bars(view: &View, width: usize) -> Vec<Line<'static>> {
    match view.stage {
        Stage::Starting => vec![Line::styled("preparing", dim())],
        Stage::Frozen { done, total } => vec![bar("frozen layers", done, total, "pictures", width)],
        Stage::Epoch(step) => {
            let ended = view.step().is_none();
            let epoch = bar("epoch", view.epoch(), view.about.epochs, "", width);
            let validating = !ended && step.done >= step.all;
            let what = if validating { "validating" } else { "batch" };
            vec![epoch, bar(what, if ended { 0 } else { step.done }, step.all, "pictures", width)]
        }
    }
}

/// `epoch          12 of 40  ████░░░░`
fn bar(what: &str, done: usize, all: usize, unit: &str, width: usize) -> Line<'static> {
    let text = format!("{done} of {all} {unit}");
    let (label, text) = match width < NARROW {
        true => (format!("{what:<6} "), format!("{:<10}", format!("{done} of {all}"))),
        false => (format!("{what:<13} "), format!("{:<21}", text.trim_end())),
    };
    let room = width.saturating_sub(label.len() + text.len() + 1);
    let share = done as f64 / all.max(1) as f64;
    let filled = ((room as f64 * share).round() as usize).min(room);
    let bar = format!(" {}{}", "█".repeat(filled), "░".repeat(room - filled));
    Line::from(vec![Span::styled(label, dim()), Span::from(text), Span::from(bar)])
}

/// Everything else that is known, with its name.
fn figures(view: &View, seconds: f64) -> Vec<(&'static str, String)> {
    let mut figures = Vec::new();
    if let Some(best) = &view.best {
        figures.push(("best", format!("epoch {}, {}", best.number, percent(best.val_accuracy))));
    }
    if let Some(left) = view.left(seconds) {
        let most = if matches!(view.stage, Stage::Epoch(_)) { "at most " } else { "" };
        figures.push(("left", format!("{most}{}", clock(left.round() as u64))));
    }
    let before = view.epochs.last().map(|epoch| epoch.pictures_per_second);
    if let Some(speed) = view.pace.speed().or(before) {
        figures.push(("pictures/s", format!("{speed:.1}")));
    }
    if let Some(rate) = view.rate() {
        figures.push(("learning rate", format!("{rate:.1e}")));
    }
    figures.push(("time", clock(seconds as u64)));
    figures.push(("device", view.about.device.clone()));
    figures.push(("memory", view.about.memory.clone()));
    figures
}

/// As many of them on each line as fit.
fn packed(figures: &[(&'static str, String)], width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<(usize, Vec<Span<'static>>)> = Vec::new();
    for (name, value) in figures {
        let spans = [Span::styled(format!("{name} "), dim()), Span::styled(value.clone(), bold())];
        let length = name.chars().count() + 1 + value.chars().count();
        match lines.last_mut() {
            Some((used, line)) if *used + BETWEEN + length <= width => {
                *used += BETWEEN + length;
                line.push(Span::from(" ".repeat(BETWEEN)));
                line.extend(spans);
            }
            _ => lines.push((length, spans.to_vec())),
        }
    }
    lines.into_iter().map(|(_, spans)| Line::from(spans)).collect()
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{about, view};
    use super::*;
    use lookalike::train::Event;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::style::Color;

    fn drawn(view: &View, width: u16, height: u16, colours: bool) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view, false, 215.0, colours)).unwrap();
        terminal
    }

    fn text(view: &View, width: u16, height: u16) -> String {
        drawn(view, width, height, true).backend().to_string()
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        let text = text(&view(20), 120, 34);
        for words in [
            "training scratch_cnn",
            "q stops, the best model is kept",
            "21 of 40",
            "160 of 320 pictures",
            "best epoch 20, 84.3 %",
            "left at most",
            "pictures/s 32.0",
            "learning rate 1.0e-3",
            "device NVIDIA H100 80GB HBM3 (Vulkan)",
            "memory 1.2 GB",
            "loss  ─ training 0.4000  • validation 0.2870",
            "accuracy  ─ training 80.0 %  • validation 84.3 %",
            "epoch 21",
            "100 %",
        ] {
            assert!(text.contains(words), "{words} in\n{text}");
        }
    }

    #[test]
    fn a_small_terminal_shows_what_matters() {
        let usual = text(&view(20), 80, 24);
        for words in ["─ train 0.4000  • val 0.2870", "accuracy", "memory 1.2 GB"] {
            assert!(usual.contains(words), "{words} in\n{usual}");
        }
        let small = text(&view(20), 40, 12);
        for words in ["q stops", "21 of 40", "160 of 320", "best epoch 20", "pictures/s 32.0"] {
            assert!(small.contains(words), "{words} in\n{small}");
        }
        for (width, height) in [(20, 5), (3, 2), (1, 1), (200, 3), (8, 60), (300, 90)] {
            for view in [view(0), view(20), View::new(about())] {
                drawn(&view, width, height, true);
            }
        }
    }

    #[test]
    fn without_colours_there_are_none() {
        let coloured = |colours: bool| {
            let terminal = drawn(&view(20), 120, 34, colours);
            terminal.backend().buffer().content.iter().filter(|cell| cell.fg != Color::Reset).count()
        };
        assert!(coloured(true) > 50);
        assert_eq!(coloured(false), 0);
    }

    #[test]
    fn notes_and_frozen_layers_are_shown() {
        let mut view = View::new(about());
        view.event(&Event::Features { done: 0, total: 200 }, 0.0);
        view.event(&Event::Features { done: 50, total: 200 }, 10.0);
        view.event(&Event::Note("the file is held by another run"), 11.0);
        let text = text(&view, 100, 20);
        assert!(text.contains("frozen layers") && text.contains("50 of 200 pictures"), "{text}");
        assert!(text.contains("note: the file is held by another run"), "{text}");
    }
}
