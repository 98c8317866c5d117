//! The C interface: its header is what cbindgen makes, and programs in C that use it get what Rust gets.
#![cfg(unix)]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lookalike::Device;
use lookalike::graph::Params;
use lookalike::models::{ModelFile, Preprocessing, ScratchCnn, scratch_cnn};
use lookalike::ops::Normalize;
use lookalike::recognize::Recognizer;
use lookalike::vision::{MAX_PIXELS, decode};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/s02/01.png");

#[test]
fn the_header_is_what_cbindgen_makes() {
    let root = Path::new(ROOT);
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("a configuration");
    let sources = ["error", "faces", "recognizer"].map(|name| root.join(format!("src/capi/{name}.rs")));
    let builder = sources.iter().fold(cbindgen::Builder::new(), |builder, source| builder.with_src(source));
    let mut header = Vec::new();
    builder.with_config(config).generate().expect("bindings").write(&mut header);
    let checked_in = root.join("include/lookalike.h");
    if fs::read(&checked_in).unwrap_or_default() == header {
        return;
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lookalike.h");
    fs::write(&made, header).expect("a writable folder");
    panic!("src/capi has changed: cp {} {}", made.display(), checked_in.display());
}

/// A folder with the library for C, built once for all tests.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // The features of the tests as well, whose dependencies are compiled already.
        let line = ["rustc", "--quiet", "--lib", "--features", "capi", "--crate-type", "cdylib"];
        let built = Command::new(env!("CARGO")).args(line).current_dir(ROOT).status().expect("cargo");
        assert!(built.success());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder in the target folder");
        let folder = target.join("debug");
        assert!(folder.join(format!("{DLL_PREFIX}lookalike{DLL_SUFFIX}")).exists(), "{}", folder.display());
        folder
    })
}

/// Compiles `source`, a program in C, into `folder`.
fn compile(source: &str, folder: &Path) -> PathBuf {
    let program = folder.join("program");
    let mut line = Command::new("cc");
    line.args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pedantic", "-Wall", "-Wextra", "-Werror", "-g"]);
    line.arg(Path::new(ROOT).join(source)).arg("-I").arg(Path::new(ROOT).join("include"));
    line.arg("-L").arg(library()).args(["-llookalike", "-pthread", "-o"]).arg(&program);
    line.arg(format!("-Wl,-rpath,{}", library().display()));
    assert!(line.status().expect("a C compiler, as Rust needs one to link").success(), "{source}");
    program
}

/// A small network with random weights that knows two people.
fn model(folder: &Path) -> PathBuf {
    let model = scratch_cnn(&ScratchCnn { size: 32, widths: vec![4], dense: 8, ..ScratchCnn::new(2) });
    let params = Params::new(&Device::cpu());
    model.initialize(&params, 1).unwrap();
    let names = model.parameters().unwrap().into_iter().map(|parameter| parameter.name);
    let weights = names.map(|name| (name.clone(), params.get(&name).unwrap())).collect();
    let preprocessing = Preprocessing {
        size: 32,
        detector: "mtcnn".into(),
        margin: 0.2,
        align: true,
        placed: None,
        whole: false,
        normalize: Normalize::unit(),
    };
    let file = ModelFile::new(model, vec!["Zoë".into(), "Ben".into()], preprocessing, weights);
    let path = folder.join("model.safetensors");
    file.save(&path).unwrap();
    path
}

#[test]
fn the_example_in_c_says_what_rust_says() {
    let folder = tempfile::tempdir().unwrap();
    let (program, model) = (compile("examples/embed.c", folder.path()), model(folder.path()));
    let run = |photo: &str| {
        let mut line = Command::new(&program);
        line.arg(&model).arg(photo).env("LOOKALIKE_ADAPTER", "cpu").output().expect("a program that starts")
    };
    let recognizer = Recognizer::open(&Device::cpu(), &model).unwrap();
    let people = recognizer.recognize(&decode(Path::new(PHOTO), MAX_PIXELS).unwrap()).unwrap();
    let [person] = &people[..] else { panic!("one face: {people:?}") };
    let (name, percent, at) = (&person.nearest, 100.0 * person.confidence, person.rect);
    let expected = format!(
        "{name} (nearest {name}, {percent:.1} %) at ({:.1}, {:.1}), {:.1} x {:.1}\n",
        at.x, at.y, at.width, at.height
    );
    let found = run(PHOTO);
    assert!(found.status.success(), "{found:?}");
    assert_eq!(String::from_utf8(found.stdout).unwrap(), expected);

    let failed = run("no-such.jpg");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).starts_with("no-such.jpg: "), "{failed:?}");
}

#[test]
fn the_border_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (program, model) = (compile("kernels-tests/capi/border.c", folder.path()), model(folder.path()));
    let photo = decode(Path::new(PHOTO), MAX_PIXELS).unwrap();
    let rows = photo.pixels().chunks_exact(3 * photo.width());
    let mut padded: Vec<u8> = rows.flat_map(|row| [row, &[7; 5]].concat()).collect();
    padded.truncate(padded.len() - 5); // behind the last row nothing may be read
    let pixels = folder.path().join("pixels");
    fs::write(&pixels, padded).unwrap();
    let size = [photo.width(), photo.height()].map(|side| side.to_string());
    let found = Command::new(&program).arg(&model).arg(PHOTO).arg(&pixels).args(size).output().unwrap();
    assert!(found.status.success() && found.stdout == b"ok\n", "{found:?}");
}
