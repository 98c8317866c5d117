//! A public file from the net: whole and verified, or not at all.
//!
//! Bytes go to a neighbour of the file, `….part`, which stays when the connection ends: the next attempt, here or in
//! another run, asks for the rest. What counts in the end is the checksum.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lookalike::formats::checksum::checksums;
use lookalike::{Error, Result};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, Proxy};

/// Until there is a connection, an answer, and more of an answer.
const CONNECT: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(60);
const STALL: Duration = Duration::from_secs(60);
/// Attempts at one place that bring nothing new.
const ATTEMPTS: usize = 3;
/// No file of weights is longer; a wrong server might never end.
const MAX_BYTES: u64 = 4 << 30;

/// A file to download.
pub struct Wanted<'a> {
    /// Its MD5 in hexadecimal digits.
    pub md5: &'a str,
    /// Where it goes.
    pub place: &'a Path,
}

/// What a download asks and tells.
pub struct Hooks<'a> {
    /// The value of an environment variable: proxies stand there.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Is told why a source was given up for the next.
    pub warn: &'a dyn Fn(&str),
    /// Is told bytes done and in all.
    pub report: &'a dyn Fn(u64, u64),
}

/// Why there is nothing from a place.
enum Failure {
    /// The place is to blame; another one may do.
    There(String),
    /// This machine is: a full disk.
    Here(Error),
}

impl Wanted<'_> {
    /// Whether the file is in its place, and the right one.
    pub fn is_there(&self) -> bool {
        let md5 = File::open(self.place).and_then(|mut file| checksums(&mut file)).map(|sums| sums.md5);
        md5.is_ok_and(|md5| md5 == self.md5)
    }

    fn part(&self) -> PathBuf {
        let mut name = self.place.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        self.place.with_file_name(name)
    }
}

/// Downloads the file from the first of the `sources` that has it.
pub fn get(wanted: &Wanted<'_>, sources: &[String], hooks: &Hooks<'_>) -> Result<()> {
    let path = wanted.part();
    let folder = path.parent().unwrap_or(Path::new("."));
    let unwritable = |source| Error::io(&path, source, WRITABLE);
    fs::create_dir_all(folder).map_err(unwritable)?;
    let mut options = OpenOptions::new();
    let mut part =
        options.read(true).write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
    part.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            Error::Input(format!("{}: another download is writing it; wait for its end", path.display()))
        }
        TryLockError::Error(error) => unwritable(error),
    })?;
    let mut failures = Vec::new();
    for url in sources {
        match from(url, wanted, &mut part, hooks) {
            Ok(()) => {
                part.sync_all().map_err(unwritable)?;
                drop(part); // some systems rename no file that is open
                return fs::rename(&path, wanted.place).map_err(unwritable);
            }
            Err(Failure::Here(error)) => return Err(error),
            Err(Failure::There(problem)) => {
                let problem = format!("{url}: {problem}");
                (hooks.warn)(&problem);
                failures.push(problem);
            }
        }
    }
    if part.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        drop(part);
        fs::remove_file(&path).map_err(unwritable)?;
    }
    Err(Error::Input(format!(
        "{} was not downloaded ({}); try again to go on where it ended, name another place with --mirror URL, or use a \
         file you have with --weights FILE",
        wanted.place.display(),
        failures.join("; ")
    )))
}

const WRITABLE: &str = "free some space, or choose another cache folder in LOOKALIKE_CACHE";

/// Downloads from one place into `part`, where the beginning may be already.
fn from(
    url: &str,
    wanted: &Wanted<'_>,
    part: &mut File,
    hooks: &Hooks<'_>,
) -> std::result::Result<(), Failure> {
    let here = |source| Failure::Here(Error::io(wanted.part(), source, WRITABLE));
    let agent = agent(url, hooks.variable).map_err(Failure::There)?;
    let mut fruitless = 0;
    let mut most = part.metadata().map_err(here)?.len();
    loop {
        let start = part.metadata().map_err(here)?.len();
        let outcome = attempt(&agent, url, part, start, hooks.report);
        let length = part.metadata().map_err(here)?.len();
        match outcome {
            Ok(()) => {
                // Through this handle: on Windows the lock keeps others from reading.
                let found = part.rewind().and_then(|()| checksums(part)).map_err(here)?.md5;
                if found == wanted.md5 {
                    return Ok(());
                }
                part.set_len(0).map_err(here)?;
                // The beginning may have been another file's: then it has to be read from this place, too.
                if start == 0 {
                    let problem =
                        format!("has {length} bytes with MD5 {found}, expected {}; deleted", wanted.md5);
                    return Err(Failure::There(problem));
                }
            }
            Err(Failure::There(problem)) => {
                // A server that always begins anew gets no further by breaking off at other places.
                fruitless = if length > most { 0 } else { fruitless + 1 };
                most = most.max(length);
                let is_final = problem.starts_with(STATUS);
                if is_final || fruitless == ATTEMPTS {
                    return Err(Failure::There(problem));
                }
            }
            here => return here,
        }
    }
}

/// How the answer of a server begins that has no such file.
const STATUS: &str = "the server answered";

/// Asks once for what follows the first `start` bytes, and appends it.
fn attempt(
    agent: &Agent,
    url: &str,
    part: &mut File,
    start: u64,
    report: &dyn Fn(u64, u64),
) -> std::result::Result<(), Failure> {
    const PARTIAL: u16 = 206;
    const NOTHING_MORE: u16 = 416;
    let there = |error: ureq::Error| Failure::There(error.to_string());
    let mut request = agent.get(url);
    if start > 0 {
        request = request.header("Range", format!("bytes={start}-"));
    }
    let response = request.call().map_err(there)?;
    let status = response.status();
    let start = match status.as_u16() {
        PARTIAL if content_start(&response) == Some(start) => start,
        NOTHING_MORE if start > 0 => return Ok(()), // the checksum tells whether it is all
        200 => 0,
        _ => return Err(Failure::There(format!("{STATUS} {status}"))),
    };
    let here = |source| Failure::Here(Error::io("the partial download", source, WRITABLE));
    part.set_len(start).map_err(here)?;
    part.seek(SeekFrom::End(0)).map_err(here)?;
    append(response.into_body(), part, start, report)
}

/// Appends the body of an answer to the first `start` bytes.
fn append(
    body: Body,
    part: &mut File,
    start: u64,
    report: &dyn Fn(u64, u64),
) -> std::result::Result<(), Failure> {
    let here = |source| Failure::Here(Error::io("the partial download", source, WRITABLE));
    let all = body.content_length().map(|rest| start + rest);
    let mut reader = body.into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut done = start;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::There(format!("ended after {done} bytes: {error}"))),
        };
        part.write_all(&buffer[..count]).map_err(here)?;
        done += count as u64;
        if done > MAX_BYTES {
            part.set_len(0).map_err(here)?;
            return Err(Failure::There(format!("{STATUS} with more than {MAX_BYTES} bytes")));
        }
        report(done, all.unwrap_or(done).max(done));
    }
    match all {
        Some(all) if done != all => Err(Failure::There(format!("ended after {done} of {all} bytes"))),
        _ => Ok(()),
    }
}

/// The first byte of a partial answer: `Content-Range: bytes 100-199/200`.
fn content_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("Content-Range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// A client for this URL, through the proxy that the environment names for it.
fn agent(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> std::result::Result<Agent, String> {
    let config = Agent::config_builder()
        .proxy(proxy(url, variable)?)
        .http_status_as_error(false)
        .user_agent(concat!("lookalike/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(STALL));
    Ok(config.build().into())
}

/// The proxy for this URL, as curl chooses: by its scheme, unless `NO_PROXY` names its host.
fn proxy(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> std::result::Result<Option<Proxy>, String> {
    let uri: Uri =
        url.parse().map_err(|error| format!("{error}; give a URL such as https://host/folder/"))?;
    let names = match uri.scheme_str() {
        Some("https") => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        Some("http") => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        _ => return Err("begins with neither http:// nor https://".into()),
    };
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let Some((name, value)) = names.into_iter().find_map(|name| Some((name, set(name)?))) else {
        return Ok(None);
    };
    let proxy =
        Proxy::new(&value).map_err(|error| format!("{name} is '{value}': {error}; correct or unset it"))?;
    let host = uri.host().unwrap_or_default();
    let spared = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    Ok(Some(proxy).filter(|_| !spared.split(',').any(|entry| spares(entry.trim(), host))))
}

/// Whether an entry of `NO_PROXY` is for this host: its name, a domain it is in, or `*`.
fn spares(entry: &str, host: &str) -> bool {
    let domain = entry.trim_start_matches('*').trim_start_matches('.').to_lowercase();
    let host = host.to_lowercase();
    entry == "*" || !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")))
}

#[cfg(test)]
mod tests;
