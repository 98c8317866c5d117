//! Downloads from servers of this process, each with a fault of its own.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;

/// How a server fails.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Knows no `Range`, and sends all.
    Whole,
    /// Ends each answer after half of what it announced.
    Cut,
    /// Sends other bytes of the same length.
    Wrong,
    /// Has no such file.
    Missing,
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn md5(bytes: &[u8]) -> String {
    checksums(&mut &bytes[..]).unwrap().md5
}

/// A server of `content()`: its URL, and the first lines and `Range` headers of requests.
fn server(fault: Fault) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/w.h5", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (line, range) = request(&stream);
            let _ = sender.send(format!("{line} {range}"));
            answer(stream, fault, &range);
        }
    });
    (url, requests)
}

/// First line and `Range` of a request.
fn request(stream: &TcpStream) -> (String, String) {
    let mut lines = BufReader::new(stream).lines().map_while(|line| line.ok());
    let first = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range =
        headers.iter().find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
    (first, range.unwrap_or_default())
}

fn answer(mut stream: TcpStream, fault: Fault, range: &str) {
    let mut bytes = content();
    if fault == Fault::Wrong {
        bytes.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let all = bytes.len();
    let start = range.strip_prefix("bytes=").and_then(|range| range.trim_end_matches('-').parse().ok());
    let start = start.filter(|_| fault != Fault::Whole);
    let head = match start {
        _ if fault == Fault::Missing => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n".into(),
        Some(start) if start >= all => "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n".into(),
        Some(start) => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{all}\r\n",
            all - start,
            all - 1
        ),
        None => format!("HTTP/1.1 200 OK\r\nContent-Length: {all}\r\n"),
    };
    let has_body = head.contains("200") || head.contains("206");
    let mut rest = &bytes[start.unwrap_or(0).min(all)..];
    if fault == Fault::Cut {
        rest = &rest[..rest.len().div_ceil(2)];
    }
    let _ = write!(stream, "{head}Connection: close\r\n\r\n");
    if has_body {
        let _ = stream.write_all(rest);
    }
}

/// What came of a download into an empty folder, or one that holds this part.
struct Outcome {
    result: std::result::Result<(), String>,
    file: Option<Vec<u8>>,
    part: Option<Vec<u8>>,
    warnings: Vec<String>,
}

fn download(sources: &[&str], part: Option<&[u8]>) -> Outcome {
    download_through(&|_| None, sources, part)
}

/// [`download`], where the environment has these variables.
fn download_through(
    variable: &dyn Fn(&str) -> Option<String>,
    sources: &[&str],
    part: Option<&[u8]>,
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("weights/w.h5");
    let md5 = md5(&content());
    let wanted = Wanted { md5: &md5, place: &place };
    if let Some(part) = part {
        fs::create_dir(place.parent().unwrap()).unwrap();
        fs::write(wanted.part(), part).unwrap();
    }
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let warnings = RefCell::new(vec![]);
    let warn = |problem: &str| warnings.borrow_mut().push(problem.to_string());
    let reported = RefCell::new(0);
    let report = |done: u64, all: u64| {
        assert!(done <= all);
        *reported.borrow_mut() = done;
    };
    let hooks = Hooks { variable, warn: &warn, report: &report };
    let result = get(&wanted, &sources, &hooks).map_err(|error| error.to_string());
    assert_eq!(result.is_ok(), wanted.is_there());
    let (file, part) = (fs::read(&place).ok(), fs::read(wanted.part()).ok());
    Outcome { result, file, part, warnings: warnings.into_inner() }
}

/// A download that must succeed and leave nothing but the file.
fn succeeds(sources: &[&str], part: Option<&[u8]>) -> Vec<String> {
    let Outcome { result, file, part, warnings } = download(sources, part);
    assert_eq!(result, Ok(()));
    assert!(file == Some(content()) && part.is_none());
    warnings
}

#[test]
fn a_file_comes_whole() {
    let (url, requests) = server(Fault::None);
    assert!(succeeds(&[&url], None).is_empty());
    assert_eq!(requests.try_iter().collect::<Vec<_>>(), ["GET /w.h5 HTTP/1.1 "]);
}

#[test]
fn an_interrupted_download_goes_on() {
    let half = &content()[..500_000];
    let (url, requests) = server(Fault::None);
    succeeds(&[&url], Some(half));
    assert_eq!(requests.try_iter().collect::<Vec<_>>(), ["GET /w.h5 HTTP/1.1 bytes=500000-"]);
    // All of it was there already.
    succeeds(&[&url], Some(&content()));
    // A server that knows no ranges sends it again.
    succeeds(&[&server(Fault::Whole).0], Some(half));
    // What was there was another file's beginning, or longer than the file.
    succeeds(&[&url], Some(&[7; 1000]));
    succeeds(&[&url], Some(&[7; 2_000_000]));
}

#[test]
fn a_connection_that_ends_is_made_again() {
    let (url, requests) = server(Fault::Cut);
    succeeds(&[&url], None);
    let requests: Vec<String> = requests.try_iter().collect();
    assert!(requests.len() > 3 && requests[1].ends_with("bytes=600000-"), "{requests:?}");
}

#[test]
fn wrong_bytes_are_deleted() {
    let (url, requests) = server(Fault::Wrong);
    for part in [None, Some(&content()[..500_000])] {
        let Outcome { result, file, part, .. } = download(&[&url], part);
        let message = result.unwrap_err();
        assert!(message.contains("has 1200000 bytes with MD5") && message.contains("deleted"), "{message}");
        assert!(file.is_none() && part.is_none());
    }
    assert_eq!(requests.try_iter().count(), 3);
}

#[test]
fn another_mirror_helps_where_one_fails() {
    let [missing, wrong, good] = [Fault::Missing, Fault::Wrong, Fault::None].map(|fault| server(fault).0);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/w.h5", listener.local_addr().unwrap())
    };
    let warnings = succeeds(&[&missing, &wrong, &closed, "ftp://a/w.h5", &good], None);
    let expected = ["404 Not Found", "expected", "onnection refused", "begins with neither"];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, words) in warnings.iter().zip(expected) {
        assert!(warning.contains(words), "{warning}");
    }
}

#[test]
fn an_error_names_every_place_and_what_to_do() {
    let (url, _requests) = server(Fault::Missing);
    let Outcome { result, part, .. } = download(&[&url], None);
    let message = result.unwrap_err();
    for words in ["w.h5 was not downloaded", url.as_str(), "404", "--mirror", "--weights FILE"] {
        assert!(message.contains(words), "'{words}' in: {message}");
    }
    assert!(part.is_none());
    // What another attempt brought stays for the next.
    assert!(download(&[&url], Some(b"beginning")).part.is_some());
}

#[test]
fn two_downloads_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("w.h5");
    let wanted = Wanted { md5: "", place: &place };
    let other = File::create(wanted.part()).unwrap();
    other.lock().unwrap();
    let hooks = Hooks { variable: &|_| None, warn: &|_| (), report: &|_, _| () };
    let message = get(&wanted, &[], &hooks).unwrap_err().to_string();
    assert!(message.contains("another download"), "{message}");
}

/// A proxy that connects whoever asks to `server`, whatever name they ask for: its URL, and what was asked.
fn proxy_server(server: String) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (line, _) = request(&client);
            let _ = sender.send(line);
            let mut server = TcpStream::connect(&server).unwrap();
            let _ = client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut to));
            let _ = io::copy(&mut server, &mut client);
        }
    });
    (url, requests)
}

#[test]
fn a_proxy_of_the_environment_is_asked() {
    let (url, _requests) = server(Fault::None);
    let host = url.trim_start_matches("http://").trim_end_matches("/w.h5").to_string();
    let (proxy, asked) = proxy_server(host);
    let variable = |name: &str| (name == "http_proxy").then(|| proxy.clone());
    // Only the proxy knows the name.
    let outcome = download_through(&variable, &["http://weights.invalid/w.h5"], None);
    assert_eq!(outcome.result, Ok(()));
    assert!(outcome.file == Some(content()));
    assert_eq!(asked.recv().unwrap(), "CONNECT weights.invalid:80 HTTP/1.1");
}

#[test]
fn the_proxy_is_that_of_the_scheme_unless_the_host_is_spared() {
    let chosen = |url: &str, spared: &str| {
        let variable = |name: &str| match name {
            "https_proxy" => Some("http://secure:1".to_string()),
            "HTTP_PROXY" => Some("plain:2".to_string()),
            "NO_PROXY" => Some(spared.to_string()),
            _ => None,
        };
        proxy(url, &variable).unwrap().map(|proxy| proxy.host().to_string())
    };
    assert_eq!(chosen("https://host/w", "").as_deref(), Some("secure"));
    assert_eq!(chosen("http://host/w", "").as_deref(), Some("plain"));
    for spared in ["*", "example.org", ".example.org", "*.example.org", "a, A.Example.org"] {
        assert_eq!(chosen("https://a.example.org/w", spared), None, "{spared}");
    }
    for kept in ["b.example.org", "ple.org", "org.", "a.example.org.evil"] {
        assert!(chosen("https://a.example.org/w", kept).is_some(), "{kept}");
    }
    let message = proxy("http://host/w", &|_| Some("ftp://x".into())).unwrap_err();
    assert!(message.starts_with("http_proxy is 'ftp://x'"), "{message}");
    assert!(proxy("http://host/w", &|_| None).unwrap().is_none());
}
