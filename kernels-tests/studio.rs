//! `studio` from outside: what its page does, what others try, and 10,000 messages that make no sense.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lookalike::vision::{RgbImage, crop_resize, decode_bytes, encode_jpeg};
use serde_json::{Value, json};

use super::Scene;

/// For an answer, at most.
const PATIENCE: Duration = Duration::from_secs(120);
/// Messages that make no sense.
const MESSAGES: usize = 10_000;

/// A running studio.
struct Studio {
    child: Child,
    port: u16,
    token: String,
    /// What it writes to standard error, line by line.
    lines: Receiver<String>,
}

impl Studio {
    fn start(scene: &Scene) -> Studio {
        let mut command = scene.command(&["studio", "--no-open", "--folder", "projects", "--adapter", "cpu"]);
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

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// What comes back for these bytes before the connection is closed.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // It may close the connection before it has read all.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// The status of the answer to a request, and the whole of it as text; 0 if there is none.
    fn ask(&self, head: &str) -> (u16, String) {
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

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.ask(&head("GET", path, &[&[("Host", &*self.host())], headers].concat()))
    }

    /// The head that opens the page's WebSocket.
    fn opening(&self) -> String {
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

    fn page(&self) -> Page {
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
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Ends it as Ctrl-C does; what it has written to standard error.
    fn end(mut self) -> Vec<String> {
        let ended = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
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

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\n{headers}\r\n")
}

/// The page's side of a WebSocket: RFC 6455.
struct Page(TcpStream);

#[derive(Debug)]
enum Heard {
    Event(Value),
    Thumbnail(Vec<u8>),
    Closed(u16),
}

impl Page {
    /// A frame of one piece, masked as a browser does.
    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
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

    fn say(&mut self, request: &Value) {
        self.0.write_all(&Page::frame(1, request.to_string().as_bytes())).expect("it reads");
    }

    fn send(&mut self, kind: u8, number: u32, picture: &[u8]) {
        let message = [&[kind], &number.to_le_bytes()[..], picture].concat();
        self.0.write_all(&Page::frame(2, &message)).expect("it reads");
    }

    fn hear(&mut self) -> Heard {
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
    fn await_event(&mut self, name: &str) -> Value {
        loop {
            match self.hear() {
                Heard::Event(event) if event["event"] == name => return event,
                Heard::Event(event) => assert_ne!(event["event"], "problem", "{event}"),
                Heard::Thumbnail(_) => {}
                Heard::Closed(code) => panic!("closed with {code} before a {name}"),
            }
        }
    }

    fn await_close(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.hear() {
                return code;
            }
        }
    }
}

/// A photo of the demo, as large as a camera's face.
fn photo(person: &str, number: usize) -> Vec<u8> {
    let path = format!("{}/assets/demo/{person}/{number:02}.png", env!("CARGO_MANIFEST_DIR"));
    let bytes = fs::read(&path).expect("a photo of the demo");
    let small = decode_bytes(path.as_ref(), &bytes, 1 << 20).expect("a picture");
    let large = crop_resize(&small, small.bounds(), 2 * small.width(), 2 * small.height());
    let mut frame = RgbImage::filled(640, 480, [90, 100, 110]);
    frame.paste(&large, 200, 120);
    encode_jpeg(&frame).expect("a file")
}

#[test]
fn people_are_recorded_learned_and_named_and_are_there_again() {
    let scene = Scene::new(&[]);
    let mut studio = Studio::start(&scene);
    let mut page = studio.page();
    let state = page.await_event("state");
    assert_eq!(state["people"], json!([]));
    let mut ids = Vec::new();
    for name in ["<i>Anna</i>", "../../Ben"] {
        page.say(&json!({"do": "add_person", "name": name}));
        let state = page.await_event("state");
        let person = state["people"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(person["name"], name);
        ids.push(person["id"].as_u64().unwrap() as u32);
    }
    for (&id, person) in ids.iter().zip(["s02", "s05"]) {
        for number in 1..=4 {
            page.send(2, id, &photo(person, number));
            let answer = page.await_event("photo");
            assert_eq!(
                (&answer["problem"], &answer["person"]),
                (&Value::Null, &json!(id)),
                "{person} {number}"
            );
        }
    }
    page.send(2, ids[0], b"no picture");
    assert!(page.await_event("photo")["problem"].as_str().unwrap().contains("JPEG"));

    // From the camera: only while somebody is recorded.
    page.send(1, 1, &photo("s02", 5));
    assert_eq!(page.await_event("frame")["faces"].as_array().unwrap().len(), 1);
    page.say(&json!({"do": "record", "person": ids[0]}));
    page.send(1, 2, &photo("s02", 5));
    assert_eq!(page.await_event("face")["person"], ids[0]);
    assert_eq!(page.await_event("frame")["number"], 2);
    page.say(&json!({"do": "record", "person": null}));

    page.say(&json!({"do": "train", "network": "face", "epochs": 1}));
    let model = loop {
        let state = page.await_event("state");
        if state["training"].is_null() {
            break state["model"].clone();
        }
    };
    assert_eq!((&model["people"], &model["current"]), (&json!(2), &json!(true)));
    page.send(1, 3, &photo("s05", 9));
    let faces = page.await_event("frame")["faces"].clone();
    assert_eq!((&faces[0]["name"], &faces[0]["nearest"]), (&json!("../../Ben"), &json!("../../Ben")));

    // A second studio must not work on the same files.
    let second = scene.run(&["studio", "--no-open", "--folder", "projects", "--adapter", "cpu"]);
    assert!(second.code == 1 && second.stderr.contains("another studio"), "{}", second.stderr);

    // Killed, it loses nothing that was saved.
    page.say(&json!({"do": "rename_project", "title": "Two people"}));
    page.await_event("state");
    std::thread::sleep(Duration::from_millis(300));
    studio.child.kill().unwrap();
    studio.child.wait().unwrap();
    let studio = Studio::start(&scene);
    let mut page = studio.page();
    let state = page.await_event("state");
    assert_eq!(state["project"]["title"], "Two people");
    let counts: Vec<usize> =
        state["people"].as_array().unwrap().iter().map(|p| p["faces"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [5, 4]);
    assert_eq!(state["model"]["current"], true);
    for _ in 0..9 {
        let Heard::Thumbnail(bytes) = page.hear() else { panic!("a small picture of each face") };
        assert_eq!(bytes[4..6], [0xff, 0xd8]);
    }
    page.send(1, 1, &photo("s02", 10));
    assert_eq!(page.await_event("frame")["faces"][0]["name"], "<i>Anna</i>");
    studio.end();
    // Nothing was written but the projects.
    let names: Vec<_> =
        fs::read_dir(scene.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| ["projects", "photos", "cache"].iter().any(|known| name == known)),
        "{names:?}"
    );
}

#[test]
fn of_many_frames_the_newest_is_answered() {
    const FRAMES: u32 = 60;
    let scene = Scene::new(&[]);
    let studio = Studio::start(&scene);
    let mut page = studio.page();
    page.await_event("state");
    let frame = photo("s01", 1);
    for number in 1..=FRAMES {
        page.send(1, number, &frame);
    }
    let mut answered = Vec::new();
    while answered.last() != Some(&u64::from(FRAMES)) {
        answered.push(page.await_event("frame")["number"].as_u64().unwrap());
    }
    assert!(answered.is_sorted() && answered.len() < FRAMES as usize, "{answered:?}");
    studio.end();
}

#[test]
fn nobody_else_gets_in() {
    let scene = Scene::new(&[]);
    let studio = Studio::start(&scene);
    let (host, port) = (studio.host(), studio.port);
    let bearer = format!("Bearer {}", studio.token);

    // It listens on the loopback address and on no other.
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = format!(":{port:04X}");
    let listening: Vec<&str> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields.get(3) == Some(&"0A")).then(|| fields[1]).filter(|address| address.ends_with(&ours))
        })
        .collect();
    assert_eq!(listening, [format!("0100007F{ours}")]);

    let (status, page) = studio.get("/", &[]);
    assert_eq!(status, 200);
    let page = page.to_lowercase();
    for rule in [
        "content-security-policy: default-src 'none'; script-src 'self'",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "cache-control: no-store",
    ] {
        assert!(page.contains(rule), "{rule}\n{page}");
    }
    assert!(!page.contains("access-control-allow"), "{page}");
    assert!(!page.contains(&studio.token), "the token is for the user's browser alone");

    // Foreign names that were pointed to this machine, foreign pages.
    let evil = format!("evil.example:{port}");
    for headers in [&[("Host", &*evil)][..], &[("Host", "127.0.0.1")], &[("Host", &host), ("Host", &evil)]] {
        let (status, answer) = studio.ask(&head("GET", "/", headers));
        assert!(matches!(status, 400 | 403), "{headers:?}: {answer}");
    }
    assert!(matches!(studio.ask("GET / HTTP/1.1\r\n\r\n").0, 400 | 403));
    assert_eq!(studio.ask(&head("GET", &format!("http://{evil}/"), &[("Host", &host)])).0, 403);
    for origin in ["http://evil.example", "null", &format!("https://{host}"), "http://127.0.0.1:1"] {
        assert_eq!(studio.get("/", &[("Origin", origin)]).0, 403, "{origin}");
    }
    assert_eq!(studio.get("/", &[("Sec-Fetch-Site", "cross-site")]).0, 403);
    for (what, with) in [
        ("127.0.0.1", "evil.example"),
        ("Origin: http://127.0.0.1", "Origin: http://evil.example"),
        ("Origin", "X-Origin"),
        ("lookalike, ", "lookalike, 0"),
        (&*studio.token, "00000000000000000000000000000000"),
        (&*format!(", {}", studio.token), ""),
        ("Sec-WebSocket-Protocol", "X-Protocol"),
    ] {
        let opening = studio.opening().replace(what, with);
        let (status, answer) = studio.ask(&opening);
        assert_eq!(status, 403, "{what} → {with}: {answer}");
    }

    // Files need the token, and there are no others.
    for path in ["/model", "/report", "/faces"] {
        assert_eq!(studio.get(path, &[]).0, 403, "{path}");
        assert_eq!(studio.get(path, &[("Authorization", "Bearer ")]).0, 403, "{path}");
        assert_eq!(studio.get(&format!("{path}?token={}", studio.token), &[]).0, 403, "{path}");
        let (status, answer) = studio.get(path, &[("Authorization", &bearer)]);
        assert!(status == 404 && !answer.contains("panicked"), "nothing was trained yet: {answer}");
    }
    for path in [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/faces/../lock",
        "//etc/passwd",
        "/project.json",
    ] {
        let (status, answer) = studio.get(path, &[("Authorization", &bearer)]);
        assert!(matches!(status, 400 | 404), "{path}: {answer}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"] {
        let (status, answer) = studio.ask(&head(method, "/", &[("Host", &host)]));
        assert!(matches!(status, 400 | 403 | 405), "{method}: {answer}");
    }

    // Too large.
    let long = "x".repeat(64 << 10);
    assert!(matches!(studio.get("/", &[("X-Long", &long)]).0, 400 | 431 | 0));
    let mut page = studio.page();
    page.await_event("state");
    page.say(&json!({"do": "add_person", "name": "x".repeat(8 << 10)}));
    assert_eq!(page.await_close(), 1008);
    let mut page = studio.page();
    page.await_event("state");
    page.0.write_all(&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    assert!(matches!(page.await_close(), 0 | 1009));

    // Paths are not made of what the page says.
    let mut page = studio.page();
    page.await_event("state");
    for project in ["../../../etc", "/etc", "..", "", "0123456789abcdef"] {
        page.say(&json!({"do": "open_project", "project": project}));
        let Heard::Event(event) = page.hear() else { panic!("an answer") };
        assert_eq!(event["event"], "problem", "{project}: {event}");
    }
    page.say(&json!({"do": "new_project", "title": "../../escaped"}));
    assert_eq!(page.await_event("state")["project"]["title"], "../../escaped");
    for entry in fs::read_dir(scene.path("projects")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "lock" || (name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit())),
            "{name}"
        );
    }
    assert!(!scene.path("escaped").exists());

    // Only the window that came last has the studio.
    let mut other = studio.page();
    other.await_event("state");
    assert_eq!(page.await_close(), 4001);
    assert!(studio.end().iter().all(|line| !line.contains("panicked")));
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let scene = Scene::new(&[]);
    let studio = Studio::start(&scene);
    // As many as it takes at a time, each with half a request.
    let silent: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = studio.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    assert_eq!(studio.get("/", &[]).0, 200, "it waits until those were given up");
    drop(silent);
    studio.end();
}

/// Random numbers, the same in every run of a test: xorshift64*, Vigna, arXiv:1402.6246.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// Some bytes replaced, left out, doubled or added, or the end cut off.
    fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(5) {
                _ if bytes.is_empty() => bytes = self.bytes(9),
                0 => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                3 => {
                    let more = self.bytes(20);
                    bytes.splice(at..at, more);
                }
                _ => {
                    let again = bytes[at..(at + 30).min(bytes.len())].to_vec();
                    bytes.splice(at..at, again);
                }
            }
        }
        bytes
    }
}

/// A WebSocket frame that makes no sense, or whose content does not.
fn nonsense(random: &mut Random, picture: &[u8]) -> Vec<u8> {
    let requests = [
        r#"{"do": "add_person", "name": "Anna"}"#,
        r#"{"do": "remove_person", "person": 4294967295}"#,
        r#"{"do": "open_project", "project": "0123456789abcdef"}"#,
        r#"{"do": "record", "person": 1}"#,
        r#"{"do": "train", "network": "face", "epochs": 3}"#,
    ];
    match random.below(9) {
        0 => random.bytes(40),
        1 => Page::frame(1, &random.bytes(200)),
        2 => Page::frame(2, &random.bytes(2000)),
        3 => {
            let request = requests[random.below(requests.len())].as_bytes();
            Page::frame(1, &random.damaged(request))
        }
        4 => {
            let request = requests[random.below(requests.len())].as_bytes();
            let frame = Page::frame(1, request);
            random.damaged(&frame)
        }
        5 => {
            let kind = [&[1 + random.below(2) as u8], &(random.below(9) as u32).to_le_bytes()[..]].concat();
            Page::frame(2, &[&kind[..], &random.damaged(picture)].concat())
        }
        6 => Page::frame(3 + random.below(13) as u8, &random.bytes(200)),
        7 => {
            // A length without what it promises.
            let mut frame = vec![0x82, 0xff];
            frame.extend((random.below(usize::MAX >> 33) as u64).to_be_bytes());
            frame.extend(random.bytes(50));
            frame
        }
        _ => Page::frame(8, &random.bytes(130)),
    }
}

#[test]
fn ten_thousand_malformed_messages_change_nothing() {
    let scene = Scene::new(&[]);
    let studio = Studio::start(&scene);
    let random = &mut Random(0x9e37_79b9_7f4a_7c15);
    let small = encode_jpeg(&RgbImage::filled(48, 48, [200, 150, 120])).unwrap();
    let heads = [
        head("GET", "/", &[("Host", &studio.host())]),
        head(
            "GET",
            "/model",
            &[("Host", &studio.host()), ("Authorization", &format!("Bearer {}", studio.token))],
        ),
        head(
            "POST",
            "/session",
            &[("Host", &studio.host()), ("Transfer-Encoding", "chunked"), ("Content-Length", "7")],
        ),
        studio.opening(),
    ];
    let mut settled = 0;
    let mut sent = 0;
    let mut page = None;
    while sent < MESSAGES {
        if random.below(2) == 0 {
            let head = heads[random.below(heads.len())].as_bytes();
            let message = if random.below(8) == 0 { random.bytes(300) } else { random.damaged(head) };
            studio.exchange(&message);
        } else {
            let stream: &mut Page = page.get_or_insert_with(|| studio.page());
            // Nothing is read back: the studio has to bear that too.
            if stream.0.write_all(&nonsense(random, &small)).is_err() || random.below(12) == 0 {
                page = None;
            }
        }
        sent += 1;
        if sent % 1000 == 0 {
            assert_eq!(studio.get("/", &[]).0, 200, "after {sent} messages");
        }
        if sent == MESSAGES / 4 {
            settled = studio.memory();
        }
    }
    drop(page);
    // It still does what its page wants.
    let mut page = studio.page();
    page.await_event("state");
    page.say(&json!({"do": "new_project", "title": "still there"}));
    let end = Instant::now() + PATIENCE;
    while page.await_event("state")["project"]["title"] != "still there" {
        assert!(Instant::now() < end);
    }
    page.send(1, 7, &photo("s01", 1));
    assert_eq!(page.await_event("frame")["faces"].as_array().unwrap().len(), 1);
    let now = studio.memory();
    assert!(now < settled + (32 << 20), "memory grew from {settled} to {now} bytes");
    let lines = studio.end();
    assert!(lines.iter().all(|line| !line.contains("panicked")), "{}", lines.join("\n"));
}
