//! The page's side of the studio, without a browser: for its tests, and the bench of its answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lookalike::vision::{RgbImage, crop_resize, decode_bytes, encode_jpeg};
use serde_json::Value;

/// For an answer, at most.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running studio.
pub struct Studio {
    pub child: Child,
    pub port: u16,
    pub token: String,
    /// What it writes to standard error, line by line.
    lines: Receiver<String>,
}

impl Studio {
    /// Starts what the command says: `lookalike studio --no-open` with a folder of its own.
    pub fn start(mut command: Command) -> Studio {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let said = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let address = said.map(|line| line.strip_prefix("studio: ").map(String::from)).find_map(|line| line);
        let address = address.expect("it says where its page is");
        let (host, token) = address.split_once("/#").expect("a token");
        let port = host.strip_prefix("http://127.0.0.1:").expect("the loopback address").parse();
        Studio { child, port: port.expect("a port"), token: token.to_owned(), lines }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// What comes back for these bytes before the connection is closed.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // It may close the connection before it has read all.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// The status of the answer to a request, and the whole of it as text; 0 if there is none.
    pub fn ask(&self, head: &str) -> (u16, String) {
        let mut stream = self.connect();
        let _ = stream.write_all(head.as_bytes());
        let mut answer = String::new();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        while matches!(reader.read_line(&mut answer), Ok(bytes) if bytes > 2) {
            let line = answer.lines().last().unwrap_or_default().to_lowercase();
            length = line.strip_prefix("content-length: ").map_or(length, |l| l.parse().expect("a number"));
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_ok() {
            answer.push_str(&String::from_utf8_lossy(&body));
        }
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.ask(&head("GET", path, &[&[("Host", &*self.host())], headers].concat()))
    }

    /// The head that opens the page's WebSocket.
    pub fn opening(&self) -> String {
        let (host, protocol) = (self.host(), format!("lookalike, {}", self.token));
        let origin = format!("http://{host}");
        head(
            "GET",
            "/session",
            &[
                ("Host", &host),
                ("Origin", &origin),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Protocol", &protocol),
            ],
        )
    }

    pub fn page(&self) -> Page {
        let mut stream = self.connect();
        stream.write_all(self.opening().as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.extend(byte);
        }
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Page(stream)
    }

    /// The bytes of memory that it has.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Ends it as Ctrl-C does; what it has written to standard error.
    pub fn end(mut self) -> Vec<String> {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(ended.expect("kill is there").success());
        let status = self.child.wait().expect("an end");
        let lines: Vec<String> = self.lines.iter().collect();
        assert!(status.success(), "{status}\n{}", lines.join("\n"));
        lines
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\n{headers}\r\n")
}

/// The page's side of a WebSocket: RFC 6455.
pub struct Page(pub TcpStream);

/// What the studio says.
#[derive(Debug)]
pub enum Heard {
    Event(Value),
    Thumbnail(Vec<u8>),
    Closed(u16),
}

impl Page {
    /// A frame of one piece, masked as a browser does.
    pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            middle @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        let mask = [7, 1, 4, 2];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    pub fn say(&mut self, request: &Value) {
        self.0.write_all(&Page::frame(1, request.to_string().as_bytes())).expect("it reads");
    }

    pub fn send(&mut self, kind: u8, number: u32, picture: &[u8]) {
        let message = [&[kind], &number.to_le_bytes()[..], picture].concat();
        self.0.write_all(&Page::frame(2, &message)).expect("it reads");
    }

    pub fn hear(&mut self) -> Heard {
        loop {
            let mut start = [0; 2];
            if self.0.read_exact(&mut start).is_err() {
                return Heard::Closed(0);
            }
            let mut more = |bytes: usize| {
                let mut read = vec![0; bytes];
                self.0.read_exact(&mut read).expect("the whole of it");
                read
            };
            let length = match start[1] {
                126 => more(2).iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
                127 => more(8).iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
                short => usize::from(short),
            };
            let payload = more(length);
            match start[0] {
                0x81 => return Heard::Event(serde_json::from_slice(&payload).expect("JSON")),
                0x82 => return Heard::Thumbnail(payload),
                0x88 => {
                    let code = payload.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
                    return Heard::Closed(code);
                }
                0x89 | 0x8a => {}
                other => panic!("a frame that begins with {other:#x}"),
            }
        }
    }

    /// The next event of this name; a problem on the way is none that was expected.
    pub fn await_event(&mut self, name: &str) -> Value {
        loop {
            match self.hear() {
                Heard::Event(event) if event["event"] == name => return event,
                Heard::Event(event) => assert_ne!(event["event"], "problem", "{event}"),
                Heard::Thumbnail(_) => {}
                Heard::Closed(code) => panic!("closed with {code} before a {name}"),
            }
        }
    }

    pub fn await_close(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.hear() {
                return code;
            }
        }
    }
}

/// A photo of the demo, as large as a camera's face.
pub fn photo(person: &str, number: usize) -> Vec<u8> {
    // A bench may run where it was not built, in a folder that has the assets.
    let project = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".into());
    let path = format!("{project}/assets/demo/{person}/{number:02}.png");
    let bytes = fs::read(&path).expect("a photo of the demo");
    let small = decode_bytes(path.as_ref(), &bytes, 1 << 20).expect("a picture");
    let large = crop_resize(&small, small.bounds(), 2 * small.width(), 2 * small.height());
    let mut frame = RgbImage::filled(640, 480, [90, 100, 110]);
    frame.paste(&large, 200, 120);
    encode_jpeg(&frame).expect("a file")
}
