//! Photos in, answers out, without an end.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::{FoundFace, Recognition, Recognizer};
use crate::vision::RgbImage;
use crate::{Error, Result};

/// How many photos may be searched and not yet named: enough that neither side waits where both take turns in being slow.
const AHEAD: usize = 1;

/// The answers to a stream of photos, in their order: [`Recognizer::recognize_stream`] makes it.
pub struct Recognitions {
    recognizer: Recognizer,
    found: Receiver<Result<Vec<FoundFace>>>,
    /// The thread that takes photos and searches them.
    searching: Option<JoinHandle<()>>,
}

impl Recognizer {
    /// The faces of each photo with their names, for as long as there are photos: frames of a camera, files of a folder. While the
    /// names of one photo are sought the next is searched, on a thread of its own, which also takes the photos from `photos`. What is
    /// wrong with a photo stands in its place.
    ///
    /// Whoever drops the stream ends it: the thread takes no photo any more but the one that it may be waiting for.
    ///
    /// # Errors
    /// If the system gives no thread.
    ///
    /// # Example
    /// ```no_run
    /// # use std::path::Path;
    /// # use lookalike::{Device, recognize::Recognizer};
    /// use lookalike::vision::{MAX_PIXELS, decode};
    ///
    /// # let recognizer = Recognizer::open(&Device::open()?, Path::new("model.safetensors"))?;
    /// let photos = ["party.jpg", "garden.jpg"].map(|name| decode(Path::new(name), MAX_PIXELS));
    /// for people in recognizer.recognize_stream(photos)? {
    ///     println!("{} faces", people?.len());
    /// }
    /// # Ok::<(), lookalike::Error>(())
    /// ```
    pub fn recognize_stream<I>(&self, photos: I) -> Result<Recognitions>
    where
        I: IntoIterator<Item = Result<RgbImage>, IntoIter: Send + 'static>,
    {
        let (sender, found) = sync_channel(AHEAD);
        let (recognizer, photos) = (self.clone(), photos.into_iter());
        let search = move || {
            for photo in photos {
                if sender.send(photo.and_then(|photo| recognizer.find(&photo))).is_err() {
                    return; // nobody listens any more
                }
            }
        };
        let searching = thread::Builder::new()
            .name("face search".into())
            .spawn(search)
            .map_err(|problem| Error::Input(format!("no thread to search photos on: {problem}")))?;
        Ok(Recognitions { recognizer: self.clone(), found, searching: Some(searching) })
    }
}

impl Iterator for Recognitions {
    type Item = Result<Vec<Recognition>>;

    /// # Panics
    /// If `photos` panicked.
    fn next(&mut self) -> Option<Self::Item> {
        match self.found.recv() {
            Ok(found) => Some(found.and_then(|faces| self.recognizer.name(&faces))),
            Err(_) => {
                if let Some(Err(panic)) = self.searching.take().map(JoinHandle::join) {
                    resume_unwind(panic);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::tests::recognizer;
    use super::*;

    fn photo(index: usize) -> RgbImage {
        RgbImage::filled(if index.is_multiple_of(3) { 60 } else { 32 }, 32, [index as u8 * 6, 90, 20])
    }

    #[test]
    fn a_stream_is_answered_as_one_by_one_and_goes_on_after_errors() {
        let recognizer = recognizer(true);
        let photos = (0..20).map(|index| match index {
            5 => Err(Error::Input("five".into())),
            index => Ok(photo(index)),
        });
        let answers: Vec<_> = recognizer.recognize_stream(photos).unwrap().collect();
        assert_eq!(answers.len(), 20);
        for (index, answer) in answers.into_iter().enumerate() {
            match index {
                5 => assert_eq!(answer.unwrap_err().to_string(), "five"),
                index => assert_eq!(answer.unwrap(), recognizer.recognize(&photo(index)).unwrap()),
            }
        }
    }

    #[test]
    fn an_endless_stream_runs_ahead_a_little_and_ends_when_it_is_dropped() {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let photos = (0..).map(move |index| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(photo(index))
        });
        let mut stream = recognizer(true).recognize_stream(photos).unwrap();
        assert_eq!(stream.by_ref().take(4).filter(|answer| answer.is_ok()).count(), 4);
        let searching = stream.searching.take().expect("it is searching");
        drop(stream);
        searching.join().unwrap();
        // Four answered, those that were found ahead, and the one in hand.
        let taken = taken.load(Ordering::SeqCst);
        assert!((4..=4 + AHEAD + 2).contains(&taken), "{taken} photos were taken");
    }

    #[test]
    fn a_panic_of_the_photos_is_passed_on() {
        let photos = (0..3).map(|index| if index == 2 { panic!("two") } else { Ok(photo(index)) });
        let mut stream = recognizer(true).recognize_stream(photos).unwrap();
        assert!(stream.next().is_some() && stream.next().is_some());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stream.next()));
        assert!(caught.unwrap_err().downcast_ref::<&str>().is_some_and(|text| *text == "two"));
    }
}
