//! The terminal: taken over, drawn on, asked for keys, and always given back.

use std::io::{self, IsTerminal, Stdout, stdin, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::draw::draw;
use super::view::View;

/// Whether the terminal is taken over. There is one terminal, whoever has to give it back.
static ON: AtomicBool = AtomicBool::new(false);

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// q, or Esc.
    Quit,
    /// Ctrl-C, which is a key like any other while the terminal is taken over.
    Interrupt,
}

/// The terminal while it is taken over.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    colours: bool,
}

/// Whether somebody sits before a terminal that can show a display, and it is no program that pretends to.
pub fn is_possible() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stdout().is_terminal() && stdin().is_terminal() && !is_set("CI") && !is_dumb
}

/// Whether the display has the terminal, so that nothing else may be printed.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Gives the terminal back, if it is taken over.
pub fn restore() {
    if ON.swap(false, Ordering::Relaxed) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}

impl Screen {
    /// Takes the terminal over.
    pub fn open() -> io::Result<Screen> {
        restore_before_panics();
        ON.store(true, Ordering::Relaxed);
        Screen::take_over().inspect_err(|_| restore())
    }

    fn take_over() -> io::Result<Screen> {
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Screen { terminal: Terminal::new(CrosstermBackend::new(stdout()))?, colours })
    }

    /// Draws what has changed.
    pub fn draw(&mut self, view: &View, stopping: bool, seconds: f64) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, view, stopping, seconds, self.colours)).map(|_| ())
    }

    /// Waits for a while, or until a key is pressed that means something, or the terminal has another size.
    pub fn wait(&self, pause: Duration) -> io::Result<Option<Pressed>> {
        let end = Instant::now() + pause;
        while event::poll(end.saturating_duration_since(Instant::now()))? {
            match event::read()? {
                Event::Resize(..) => return Ok(None),
                Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
                    KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Ok(Some(Pressed::Quit)),
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        return Ok(Some(Pressed::Interrupt));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(None)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// A panic's message would be lost with the display.
fn restore_before_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            print(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_gives_the_terminal_back() {
        restore_before_panics();
        ON.store(true, Ordering::Relaxed);
        let panicked = std::panic::catch_unwind(|| panic!("while the display is on"));
        assert!(panicked.is_err() && !is_on());
    }
}
