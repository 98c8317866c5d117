//! The faces of several people, each with a label, and the `.npz` file they are kept in.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde_json::{Value, json};

use super::masks::Masks;
use crate::detect::Landmarks;
use crate::detect::crop::MARGIN;
use crate::formats::npz::{self, NpzArray, NpzData};
use crate::ops::{FACE_WORDS, face_words};
use crate::{Error, Result};

/// Square pictures of faces, and who is on them.
///
/// The file is a compressed `.npz` of plain NumPy arrays: `x` u8 `[N, size, size, 3]`, `y` f32 one-hot `[N, C]`,
/// `labels` i64 `[N]`, `names` strings `[C]`, `group` i64 `[N]`, `source` strings `[N]`, `landmarks` f32
/// `[N, 5, 2]`, NaN where they are not known, `masked` u8 `[N]`, 1 for a real mask, and `cut`, a string `[1]` of JSON that tells how the pictures were
/// [cut](CutStyle).
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Width and height of each picture, in pixels; 224 unless told otherwise.
    pub size: usize,
    /// All pictures, RGB, `[N, size, size, 3]`.
    pub pixels: Vec<u8>,
    /// Who is on each picture: index into `names`.
    pub labels: Vec<usize>,
    /// Names of the people.
    pub names: Vec<String>,
    /// Photos with the same number belong together: the same photo, or nearly.
    pub groups: Vec<i64>,
    /// The photo each picture was cut from, as [`Person::source`](super::people::Person::source) calls it. Of several pictures
    /// of one photo those behind the first are its [copies](Dataset::copies). Empty where the photo is not known.
    pub sources: Vec<String>,
    /// Whether the person on each picture wears a real mask.
    pub masked: Vec<bool>,
    /// Where the parts of each face are in its picture, if the detector told.
    pub landmarks: Vec<Option<Landmarks>>,
    /// How the pictures were cut out of their photos.
    pub cut: CutStyle,
}

/// How pictures of faces were cut out of photos: new photos have to be cut the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct CutStyle {
    /// Name of the detector that found the faces.
    pub detector: String,
    /// Share of a face's box that was added on each side.
    pub margin: f32,
    /// Whether faces were turned upright whose eyes the detector had found.
    pub align: bool,
    /// Whether a tight head shot in which no face was found was used whole.
    pub whole: bool,
}

impl Default for CutStyle {
    /// That of files from before they told it.
    fn default() -> CutStyle {
        CutStyle { detector: "lbp".into(), margin: MARGIN, align: false, whole: true }
    }
}

impl CutStyle {
    fn to_json(&self) -> String {
        let CutStyle { detector, margin, align, whole } = self;
        json!({"detector": detector, "margin": margin, "align": align, "whole": whole}).to_string()
    }

    fn from_json(text: &str) -> Option<CutStyle> {
        let value: Value = serde_json::from_str(text).ok()?;
        Some(CutStyle {
            detector: value["detector"].as_str()?.to_owned(),
            margin: value["margin"].as_f64()? as f32,
            align: value["align"].as_bool()?,
            whole: value["whole"].as_bool()?,
        })
    }
}

impl Dataset {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of people.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// Pixels of the picture at `index`, RGB, `[size, size, 3]`.
    pub fn image(&self, index: usize) -> &[u8] {
        let bytes = self.size * self.size * 3;
        &self.pixels[index * bytes..][..bytes]
    }

    /// The pictures at these places alone, of the same people.
    pub fn only(&self, pictures: &[usize]) -> Dataset {
        Dataset {
            size: self.size,
            pixels: pictures.iter().flat_map(|&at| self.image(at)).copied().collect(),
            labels: pictures.iter().map(|&at| self.labels[at]).collect(),
            names: self.names.clone(),
            groups: pictures.iter().map(|&at| self.groups[at]).collect(),
            sources: pictures.iter().map(|&at| self.sources[at].clone()).collect(),
            masked: pictures.iter().map(|&at| self.masked[at]).collect(),
            landmarks: pictures.iter().map(|&at| self.landmarks[at]).collect(),
            cut: self.cut.clone(),
        }
    }

    /// Appends pictures of the same people, of the same size.
    ///
    /// # Panics
    /// If they are of others.
    pub fn append(&mut self, other: Dataset) {
        assert_eq!((self.size, &self.names), (other.size, &other.names), "pictures of the same people");
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
        self.groups.extend(other.groups);
        self.sources.extend(other.sources);
        self.masked.extend(other.masked);
        self.landmarks.extend(other.landmarks);
    }

    /// The places of pictures that are changed copies of another: an earlier one of their group shows the same photo. They can be
    /// learned from, but tell nothing of their own about a network.
    pub fn copies(&self) -> BTreeSet<usize> {
        let mut seen = HashSet::new();
        let photos = self.sources.iter().zip(&self.groups).enumerate();
        let known = photos.filter(|(_, (source, _))| !source.is_empty());
        known.filter(|(_, photo)| !seen.insert(*photo)).map(|(at, _)| at).collect()
    }

    /// The [words](face_words) of the face on the picture at `index`; none for a face in a real mask, on which nothing is drawn.
    pub fn face_words(&self, index: usize) -> [u32; FACE_WORDS] {
        let landmarks = self.landmarks[index].as_ref().filter(|_| !self.masked[index]);
        face_words(landmarks, self.image(index), self.size)
    }

    /// Whether it is known where a drawn mask would sit on the picture at `index`.
    pub fn knows_face(&self, index: usize) -> bool {
        self.face_words(index) != [0; FACE_WORDS]
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    ///
    /// # Panics
    /// If the fields do not agree in their lengths.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (count, classes) = (self.len(), self.classes());
        let labels: Vec<i64> = self.labels.iter().map(|&label| label as i64).collect();
        let arrays = [
            ("x", NpzArray::new([count, self.size, self.size, 3], NpzData::U8(Cow::Borrowed(&self.pixels)))),
            ("y", NpzArray::new([count, classes], NpzData::F32(one_hot(&self.labels, classes).into()))),
            ("labels", NpzArray::new([count], NpzData::I64(labels.into()))),
            ("names", NpzArray::new([classes], NpzData::Text(Cow::Borrowed(&self.names)))),
            ("group", NpzArray::new([count], NpzData::I64(Cow::Borrowed(&self.groups)))),
            ("source", NpzArray::new([count], NpzData::Text(Cow::Borrowed(&self.sources)))),
            ("landmarks", NpzArray::new([count, 5, 2], NpzData::F32(flat(&self.landmarks).into()))),
            (
                "masked",
                NpzArray::new([count], NpzData::U8(self.masked.iter().copied().map(u8::from).collect())),
            ),
            ("cut", NpzArray::new([1], NpzData::Text(vec![self.cut.to_json()].into()))),
        ];
        npz::write(path, &arrays)
    }

    /// Reads the file at `path`, and checks that its arrays agree with each other.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is damaged, is no dataset, its arrays
    /// contradict each other, or it shows fewer than `least` people: 2 to learn telling them apart, 1 to test
    /// a model.
    pub fn load(path: &Path, least: usize) -> Result<Dataset> {
        let arrays = npz::read(path)?;
        from_arrays(arrays, least).map_err(|problem| Error::format(path, problem))
    }
}

type Arrays = BTreeMap<String, NpzArray<'static>>;
type Checked<T> = std::result::Result<T, String>;

const MAKE_AGAIN: &str = "make the file again with `lookalike crop`";

fn from_arrays(mut arrays: Arrays, least: usize) -> Checked<Dataset> {
    let x = take(&mut arrays, "x")?;
    let &[count, size, width, 3] = x.shape() else {
        return Err(unlike("x", "u8 [N, size, size, 3]", x.shape()));
    };
    let (true, NpzData::U8(pixels)) = (size == width && size > 0, x.into_data()) else {
        return Err(format!("array 'x' is no u8 array of square pictures; {MAKE_AGAIN}"));
    };
    let names = texts(take(&mut arrays, "names")?, "names", None)?;
    let sources = texts(take(&mut arrays, "source")?, "source", Some(count))?;
    let groups = integers(take(&mut arrays, "group")?, "group", count)?;
    let labels = integers(take(&mut arrays, "labels")?, "labels", count)?;
    let labels = labels.into_iter().map(|label| in_range(label, names.len())).collect::<Checked<Vec<_>>>()?;

    let y = take(&mut arrays, "y")?;
    if y.shape() != [count, names.len()] {
        return Err(unlike("y", &format!("f32 [{count}, {}]", names.len()), y.shape()));
    }
    if *y.data() != NpzData::F32(one_hot(&labels, names.len()).into()) {
        return Err(format!("array 'y' is not the one-hot form of 'labels'; {MAKE_AGAIN}"));
    }
    let mut seen = labels.clone();
    seen.sort_unstable();
    seen.dedup();
    if seen.len() < least.max(1) {
        return Err(format!(
            "shows {} of {} people; give a file of {least} or more",
            seen.len(),
            names.len(),
            least = least.max(1)
        ));
    }
    let cut = match arrays.remove("cut") {
        None => CutStyle::default(),
        Some(array) => cut_style(&texts(array, "cut", Some(1))?[0])?,
    };
    let landmarks = match arrays.remove("landmarks") {
        None => vec![None; count],
        Some(array) => landmarks(array, count)?,
    };
    let masked = match arrays.remove("masked") {
        None => sources.iter().map(|source| Masks::default().is_masked(source)).collect(),
        Some(array) => masked(array, count)?,
    };
    Ok(Dataset { size, pixels: pixels.into_owned(), labels, names, groups, sources, masked, landmarks, cut })
}

fn take(arrays: &mut Arrays, name: &str) -> Checked<NpzArray<'static>> {
    arrays
        .remove(name)
        .ok_or_else(|| format!("has no array '{name}', so it is no dataset of faces; {MAKE_AGAIN}"))
}

fn unlike(name: &str, expected: &str, shape: &[usize]) -> String {
    format!("array '{name}' has shape {shape:?}, expected {expected}; {MAKE_AGAIN}")
}

fn texts(array: NpzArray<'_>, name: &str, count: Option<usize>) -> Checked<Vec<String>> {
    let shape = array.shape().to_vec();
    match array.into_data() {
        NpzData::Text(texts) if shape.len() == 1 && count.is_none_or(|count| count == shape[0]) => {
            Ok(texts.into_owned())
        }
        _ => Err(unlike(
            name,
            &format!("strings [{}]", count.map_or("C".to_owned(), |count| count.to_string())),
            &shape,
        )),
    }
}

fn integers(array: NpzArray<'_>, name: &str, count: usize) -> Checked<Vec<i64>> {
    let shape = array.shape().to_vec();
    match array.into_data() {
        NpzData::I64(integers) if shape == [count] => Ok(integers.into_owned()),
        _ => Err(unlike(name, &format!("i64 [{count}]"), &shape)),
    }
}

fn landmarks(array: NpzArray<'_>, count: usize) -> Checked<Vec<Option<Landmarks>>> {
    let shape = array.shape().to_vec();
    let (true, NpzData::F32(numbers)) = (shape == [count, 5, 2], array.into_data()) else {
        return Err(unlike("landmarks", &format!("f32 [{count}, 5, 2]"), &shape));
    };
    let of_face = |numbers: &[f32]| -> Option<Landmarks> {
        let points = std::array::from_fn(|at| [numbers[2 * at], numbers[2 * at + 1]]);
        numbers.iter().all(|number| number.is_finite()).then_some(points)
    };
    Ok(numbers.chunks_exact(10).map(of_face).collect())
}

fn masked(array: NpzArray<'_>, count: usize) -> Checked<Vec<bool>> {
    let shape = array.shape().to_vec();
    match array.into_data() {
        NpzData::U8(flags) if shape == [count] => Ok(flags.iter().map(|&flag| flag != 0).collect()),
        _ => Err(unlike("masked", &format!("u8 [{count}]"), &shape)),
    }
}

/// All coordinates, one face after the other; NaN where they are not known.
fn flat(landmarks: &[Option<Landmarks>]) -> Vec<f32> {
    landmarks.iter().flat_map(|of_face| of_face.unwrap_or([[f32::NAN; 2]; 5])).flatten().collect()
}

fn cut_style(text: &str) -> Checked<CutStyle> {
    let problem =
        || format!("array 'cut' does not tell how the pictures were cut, it is '{text}'; {MAKE_AGAIN}");
    CutStyle::from_json(text).ok_or_else(problem)
}

fn in_range(label: i64, classes: usize) -> Checked<usize> {
    usize::try_from(label)
        .ok()
        .filter(|&label| label < classes)
        .ok_or_else(|| format!("label {label} is none of the {classes} people in 'names'; {MAKE_AGAIN}"))
}

/// A row per label, one at the label's place and zero elsewhere.
pub(crate) fn one_hot(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut rows = vec![0.0; labels.len() * classes];
    for (row, &label) in rows.chunks_exact_mut(classes.max(1)).zip(labels) {
        row[label] = 1.0;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Dataset {
        Dataset {
            size: 2,
            pixels: (0..36).collect(),
            labels: vec![1, 0, 1],
            names: vec!["anna".into(), "Zoë".into()],
            groups: vec![0, 1, 0],
            sources: vec!["Zoë/1.jpg".into(), "anna/1.png".into(), "Zoë/masked/ü.jpg".into()],
            masked: vec![true, false, true],
            landmarks: vec![None, Some([[0.5, 1.0], [1.5, 1.0], [1.0, 1.25], [0.5, 1.5], [1.5, 1.75]]), None],
            cut: CutStyle { detector: "mtcnn".into(), margin: 0.25, align: true, whole: false },
        }
    }

    #[test]
    fn a_dataset_loads_as_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faces.npz");
        example().save(&path).unwrap();
        let loaded = Dataset::load(&path, 2).unwrap();
        assert_eq!(loaded, example());
        assert_eq!((loaded.len(), loaded.classes()), (3, 2));
        assert_eq!(loaded.image(1), (12..24).collect::<Vec<u8>>());
    }

    #[test]
    fn arrays_that_contradict_each_other_are_refused() {
        let text = |v: &[&str]| NpzData::Text(v.iter().map(|&s| s.to_owned()).collect());
        let cases = [
            ("x", NpzArray::new([3, 12], NpzData::U8((0..36).collect())), "expected u8 [N, size, size, 3]"),
            ("x", NpzArray::new([3, 1, 4, 3], NpzData::U8((0..36).collect())), "square pictures"),
            ("x", NpzArray::new([3, 2, 2, 3], NpzData::F32(vec![0.0; 36].into())), "square pictures"),
            ("x", NpzArray::new([3, 0, 0, 3], NpzData::U8(vec![].into())), "square pictures"),
            (
                "labels",
                NpzArray::new([3], NpzData::I64(vec![1, 0, 2].into())),
                "label 2 is none of the 2 people",
            ),
            ("labels", NpzArray::new([3], NpzData::I64(vec![1, -1, 1].into())), "label -1 is none"),
            (
                "labels",
                NpzArray::new([2], NpzData::I64(vec![1, 0].into())),
                "'labels' has shape [2], expected i64 [3]",
            ),
            ("labels", NpzArray::new([3], NpzData::I64(vec![0, 0, 1].into())), "one-hot form of 'labels'"),
            ("y", NpzArray::new([3, 1], NpzData::F32(vec![1.0; 3].into())), "expected f32 [3, 2]"),
            ("names", NpzArray::new([1], text(&["anna"])), "label 1 is none of the 1 people"),
            ("names", NpzArray::new([2], NpzData::I64(vec![0, 1].into())), "expected strings [C]"),
            ("source", NpzArray::new([2], text(&["a", "b"])), "expected strings [3]"),
            ("cut", NpzArray::new([1], text(&["{}"])), "how the pictures were cut"),
            ("cut", NpzArray::new([2], text(&["{}", "{}"])), "expected strings [1]"),
            (
                "landmarks",
                NpzArray::new([3, 10], NpzData::F32(vec![0.0; 30].into())),
                "expected f32 [3, 5, 2]",
            ),
            (
                "landmarks",
                NpzArray::new([3, 5, 2], NpzData::F64(vec![0.0; 30].into())),
                "expected f32 [3, 5, 2]",
            ),
            ("masked", NpzArray::new([3], NpzData::F64(vec![0.0; 3].into())), "expected u8 [3]"),
            ("masked", NpzArray::new([2], NpzData::U8(vec![0; 2].into())), "expected u8 [3]"),
            ("group", NpzArray::new([3], NpzData::F64(vec![0.0; 3].into())), "expected i64 [3]"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faces.npz");
        example().save(&path).unwrap();
        for (name, array, expected) in cases {
            let mut arrays = npz::read(&path).unwrap();
            arrays.insert(name.to_owned(), array);
            let problem = from_arrays(arrays, 2).expect_err(expected);
            assert!(problem.contains(expected), "expected '{expected}' in: {problem}");
        }
    }

    #[test]
    fn a_file_from_before_it_was_told_was_cut_by_the_cascade() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faces.npz");
        example().save(&path).unwrap();
        let mut arrays = npz::read(&path).unwrap();
        arrays.remove("cut");
        arrays.remove("landmarks");
        arrays.remove("masked");
        let loaded = from_arrays(arrays, 2).unwrap();
        assert_eq!((loaded.cut.detector.as_str(), loaded.cut.align), ("lbp", false));
        assert_eq!(loaded.landmarks, [None; 3]);
        assert_eq!(loaded.masked, [false, false, true], "the folder tells of a real mask");
    }

    #[test]
    fn pictures_behind_the_first_of_a_photo_are_copies() {
        let sources = ["a/1.png", "a/2.png", "a/1.png", "b/1.png", "a/1.png"].map(String::from).to_vec();
        let copies = |groups: [i64; 5]| {
            let dataset = Dataset { sources: sources.clone(), groups: groups.to_vec(), ..example() };
            dataset.copies().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(copies([0, 1, 0, 2, 0]), [2, 4]);
        assert_eq!(copies([0, 1, 2, 3, 0]), [4], "a group of its own is no copy");
    }

    #[test]
    fn nothing_is_drawn_on_a_real_mask() {
        let eyes = Some([[0.2, 0.2], [1.8, 0.2], [1.0, 1.0], [0.4, 1.6], [1.6, 1.6]]);
        let bare = Dataset { landmarks: vec![eyes; 3], masked: vec![false, false, true], ..example() };
        assert_eq!([0, 1, 2].map(|at| bare.knows_face(at)), [true, true, false]);
    }

    #[test]
    fn a_dataset_of_one_person_and_another_kind_of_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faces.npz");
        Dataset { labels: vec![1, 1, 1], ..example() }.save(&path).unwrap();
        let message = Dataset::load(&path, 2).unwrap_err().to_string();
        assert!(message.ends_with("faces.npz: shows 1 of 2 people; give a file of 2 or more"), "{message}");
        assert_eq!(Dataset::load(&path, 1).unwrap().len(), 3);

        npz::write(&path, &[("weights", NpzArray::new([1], NpzData::F32(vec![0.5].into())))]).unwrap();
        let message = Dataset::load(&path, 2).unwrap_err().to_string();
        assert!(message.contains("no dataset of faces"), "{message}");
    }
}
