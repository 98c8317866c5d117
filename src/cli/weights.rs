//! `lookalike weights`: pretrained weights from the net.

use clap::{Args, Subcommand, ValueEnum};
use lookalike::Result;
use lookalike::folders::cache_folder;
use lookalike::models::weights::{KerasFile, VGG16};

use super::display::{Progress, note, say};
use super::download::{self, Hooks, Wanted};

/// Environment variable with more mirrors, divided by commas.
const MIRRORS: &str = "LOOKALIKE_MIRROR";

/// Download pretrained weights
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike weights get vgg16")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(Get),
}

/// Download a network's weights to the cache folder, verify them, and print their path
#[derive(Args, Debug)]
#[command(after_help = "\
Goes on where an earlier download was interrupted. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are respected.
LOOKALIKE_MIRROR may name mirrors too, LOOKALIKE_CACHE the cache folder.

Examples:
  lookalike weights get vgg16
  lookalike weights get vgg16 --mirror https://intranet.example/weights/")]
struct Get {
    /// The network
    network: Network,
    /// Where to look first: URL of the file, or of the folder it is in, which ends in /. May be given more than once
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// Download again what is there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Network {
    Vgg16,
}

/// Downloads them.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Command::Get(Get { network, mirror, force }) = &arguments.command;
    let file = match network {
        Network::Vgg16 => VGG16,
    };
    let place = file.place(&cache_folder()?);
    let wanted = Wanted { md5: file.md5, place: &place };
    if *force || !wanted.is_there() {
        let variable = |name: &str| std::env::var(name).ok();
        let sources = sources(&file, mirror, &variable(MIRRORS).unwrap_or_default());
        let progress = Progress::new("downloading", "MB", false);
        let megabytes = |bytes: u64| (bytes / 1_000_000) as usize;
        let hooks = Hooks {
            variable: &variable,
            warn: &|problem| note(format_args!("warning: {problem}")),
            report: &|done, all| progress.report(megabytes(done), megabytes(all)),
        };
        download::get(&wanted, &sources, &hooks)?;
    }
    say(place.display());
    Ok(())
}

/// The URLs to try, in this order: mirrors as given, those of the environment, the public one.
fn sources(file: &KerasFile, mirrors: &[String], environment: &str) -> Vec<String> {
    let named = mirrors.iter().map(String::as_str).chain(environment.split(','));
    let named = named.map(str::trim).filter(|url| !url.is_empty());
    let of_file =
        |url: &str| if url.ends_with('/') { format!("{url}{}", file.name) } else { url.to_string() };
    named.map(of_file).chain([file.url.to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_before_the_public_place() {
        let file = KerasFile { name: "w.h5", url: "https://public/w.h5", md5: "" };
        let mirrors = ["http://a/other.h5".to_string(), "http://b/".to_string()];
        assert_eq!(
            sources(&file, &mirrors, "http://c/d/, http://e/f.h5,"),
            ["http://a/other.h5", "http://b/w.h5", "http://c/d/w.h5", "http://e/f.h5", "https://public/w.h5"]
        );
        assert_eq!(sources(&file, &[], ""), ["https://public/w.h5"]);
    }
}
