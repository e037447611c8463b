//! Reads an API key: from a terminal without showing it, else from standard input. Never from
//! an argument, which others on this machine see.

use std::io::{self, IsTerminal as _, Read};
use std::os::fd::{AsRawFd as _, RawFd};

use crate::cli::io::{Exit, Failure, to_stderr};

/// Most bytes of standard input that are read for a key.
const INPUT_BYTES_MAX: u64 = 64 << 10;

/// Reads a key; `prompt` is what a person at a terminal is asked.
pub fn read_key(prompt: &str) -> Result<String, Failure> {
    let mut input = io::stdin().lock();
    let failed = |error| Failure::new(Exit::Fault, format!("cannot read standard input: {error}"));
    if !input.is_terminal() {
        let mut text = String::new();
        let mut bounded = input.take(INPUT_BYTES_MAX);
        bounded.read_to_string(&mut text).map_err(failed)?;
        return Ok(text.trim().to_owned());
    }
    let silent = Silent::begin(input.as_raw_fd()).map_err(failed)?;
    to_stderr(prompt);
    let typed = line(&mut input);
    drop(silent);
    match typed.map_err(failed)? {
        Some(typed) => Ok(typed.trim().to_owned()),
        None => Err(Failure::new(
            Exit::Interrupted,
            "interrupted; nothing was changed",
        )),
    }
}

/// A terminal that shows nothing of what is typed, and passes each byte on, until this is
/// dropped.
struct Silent {
    terminal: RawFd,
    before: libc::termios,
}

impl Silent {
    fn begin(terminal: RawFd) -> io::Result<Self> {
        // SAFETY: a `termios` of zeros is valid, and is only written by the call.
        let before = unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(terminal, &raw mut before) != 0 {
                return Err(io::Error::last_os_error());
            }
            before
        };
        let mut silent = before;
        // Ctrl-C is read like other bytes, so that it cannot leave the terminal silent.
        silent.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG);
        set(terminal, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = set(self.terminal, &self.before);
    }
}

fn set(terminal: RawFd, to: &libc::termios) -> io::Result<()> {
    // SAFETY: `to` is a `termios` that the system filled in, and is only read.
    match unsafe { libc::tcsetattr(terminal, libc::TCSAFLUSH, to) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads a line as a person types it; `None` if they give up with Ctrl-C or Ctrl-D.
fn line(input: &mut impl Read) -> io::Result<Option<String>> {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACKSPACE: [u8; 2] = [0x08, 0x7f];
    const KILL: u8 = 0x15;
    let (mut typed, mut byte) = (Vec::new(), [0]);
    loop {
        if input.read(&mut byte)? == 0 {
            return Ok(None);
        }
        match byte[0] {
            b'\r' | b'\n' => return Ok(Some(String::from_utf8_lossy(&typed).into_owned())),
            INTERRUPT | END => return Ok(None),
            KILL => typed.clear(),
            rubbed if BACKSPACE.contains(&rubbed) => {
                typed.pop();
            }
            other => typed.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_a_person_corrects_it() {
        let read = |typed: &[u8]| line(&mut &*typed).expect("reads");
        assert_eq!(read(b"fh_x\x7fy\rmore").as_deref(), Some("fh_y"));
        assert_eq!(read(b"wrong\x15fh_z\n").as_deref(), Some("fh_z"));
        assert_eq!(read(b"\x7f\x08\n").as_deref(), Some(""));
        for given_up in [&b"fh_\x03\n"[..], b"fh_\x04", b"fh_"] {
            assert_eq!(read(given_up), None);
        }
    }
}
