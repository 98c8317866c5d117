//! Several photos at once.

use std::borrow::Borrow;

use super::{FoundFace, Recognition, Recognizer};
use crate::vision::RgbImage;
use crate::{Result, workers};

impl Recognizer {
    /// The faces of each photo with their names, in the order of the photos. As many photos as there are cores are searched at a
    /// time; then all faces are named together, in batches.
    ///
    /// `open` makes a photo of each: `Ok` where they are in memory, a decoder where they are files. An error of `open` stands in the
    /// photo's place, and ends nothing else.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Example
    /// ```no_run
    /// # use std::path::Path;
    /// # use lookalike::{Device, recognize::Recognizer};
    /// use lookalike::vision::{MAX_PIXELS, decode};
    ///
    /// # let recognizer = Recognizer::open(&Device::open()?, Path::new("model.safetensors"))?;
    /// let photos = [Path::new("party.jpg"), Path::new("garden.jpg")];
    /// let answers = recognizer.recognize_batch(&photos, |path| decode(path, MAX_PIXELS))?;
    /// for (path, answer) in photos.iter().zip(answers) {
    ///     match answer {
    ///         Ok(people) => println!("{}: {} faces", path.display(), people.len()),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), lookalike::Error>(())
    /// ```
    pub fn recognize_batch<'a, T: Sync, P: Borrow<RgbImage>>(
        &self,
        photos: &'a [T],
        open: impl Fn(&'a T) -> Result<P> + Sync,
    ) -> Result<Vec<Result<Vec<Recognition>>>> {
        let find = |index: usize| {
            let found = open(&photos[index]).and_then(|photo| self.find(photo.borrow()));
            match found {
                Err(error) if error.is_of_device() => Err(error),
                found => Ok(found),
            }
        };
        let found: Vec<Result<Vec<FoundFace>>> = workers::in_order(photos.len(), workers::usual(), find)?;
        let mut faces = Vec::new();
        let counts: Vec<Result<usize>> = found
            .into_iter()
            .map(|found| {
                found.map(|found| {
                    let count = found.len();
                    faces.extend(found);
                    count
                })
            })
            .collect();
        let mut named = self.name(&faces)?.into_iter();
        Ok(counts.into_iter().map(|count| count.map(|count| named.by_ref().take(count).collect())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::recognizer;
    use super::*;
    use crate::Error;

    #[test]
    fn a_batch_is_answered_as_one_by_one_and_keeps_errors_in_their_places() {
        let recognizer = recognizer(true);
        // Head shots have a face each, the large ones none.
        let size = |index: usize| if index.is_multiple_of(3) { 60 } else { 32 };
        let photos: Vec<_> =
            (0..40).map(|index| RgbImage::filled(size(index), 32, [index as u8 * 6, 90, 20])).collect();
        let expected: Vec<_> = photos.iter().map(|photo| recognizer.recognize(photo).unwrap()).collect();
        assert!(expected.iter().any(Vec::is_empty) && expected.iter().any(|people| people.len() == 1));
        let answers = recognizer.recognize_batch(&photos, Ok).unwrap();
        assert_eq!(answers.into_iter().collect::<Result<Vec<_>>>().unwrap(), expected);

        let indices: Vec<usize> = (0..40).collect();
        let open = |&index: &usize| match index {
            7 => Err(Error::Input("seven".into())),
            index => Ok(photos[index].clone()),
        };
        for (index, answer) in recognizer.recognize_batch(&indices, open).unwrap().into_iter().enumerate() {
            match index {
                7 => assert_eq!(answer.unwrap_err().to_string(), "seven"),
                index => assert_eq!(answer.unwrap(), expected[index]),
            }
        }
        let lost =
            recognizer.recognize_batch(&indices, |_| Err::<RgbImage, _>(Error::DeviceLost("gone".into())));
        assert!(matches!(lost, Err(Error::DeviceLost(_))));
    }
}
