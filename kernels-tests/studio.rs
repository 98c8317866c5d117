//! `studio` from outside: what its page does, what others try, and 10,000 messages that make no sense.

mod client;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lookalike::vision::{RgbImage, encode_jpeg};
use serde_json::{Value, json};

use self::client::{Heard, PATIENCE, Page, Studio, head, photo};
use super::Scene;

/// Messages that make no sense.
const MESSAGES: usize = 10_000;

fn start(scene: &Scene) -> Studio {
    Studio::start(scene.command(&["studio", "--no-open", "--folder", "projects", "--adapter", "cpu"]))
}

#[test]
fn people_are_recorded_learned_and_named_and_are_there_again() {
    let scene = Scene::new(&[]);
    let mut studio = start(&scene);
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

    page.say(&json!({"do": "train", "network": "sface", "epochs": 1}));
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
    let studio = start(&scene);
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
    let studio = start(&scene);
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
    let studio = start(&scene);
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
    let studio = start(&scene);
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
    let studio = start(&scene);
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
    // What a frame of a camera needs stays.
    let mut page = studio.page();
    page.send(1, 7, &photo("s01", 1));
    page.await_event("frame");
    let mut page = None;
    let (mut sent, mut settled) = (0, 0);
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
    println!("memory: {settled} bytes after a quarter of the messages, {now} in the end");
    assert!(now < settled + (8 << 20), "memory grew from {settled} to {now} bytes");
    let lines = studio.end();
    assert!(lines.iter().all(|line| !line.contains("panicked")), "{}", lines.join("\n"));
}
