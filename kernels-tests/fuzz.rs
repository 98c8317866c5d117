//! Damaged files through the doors of the library: a short run of `examples/fuzz`, and the files that once failed.

#[path = "../examples/fuzz/subjects.rs"]
mod subjects;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use subjects::Subject;

#[test]
fn damaged_files_give_a_result_or_an_error() {
    for subject in Subject::all() {
        for case in 0..500 {
            println!("cargo run --release --example fuzz -- --what {} --case {case}", subject.name);
            let file = subject.mutant(1, case);
            let start = Instant::now();
            let _ = (subject.read)(&file);
            assert!(start.elapsed() < Duration::from_secs(10), "the case takes too long");
        }
    }
}

#[test]
fn files_that_once_failed_give_a_result_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/regressions");
    let subjects = Subject::all();
    for entry in fs::read_dir(folder).expect("the kept files") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        let name = path.file_name().expect("a name").to_string_lossy();
        let subject =
            subjects.iter().find(|subject| name.starts_with(subject.name)).expect("named by its door");
        let _ = (subject.read)(&fs::read(&path).expect("a file"));
    }
}
