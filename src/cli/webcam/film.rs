//! A film of JPEG pictures, one after the other with nothing between ("motion JPEG"), as cameras and ffmpeg write them.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use lookalike::vision::decode_bytes;
use lookalike::{Error, Result};

use super::{Frame, Source};

/// Bytes of a picture, at most.
const LARGEST: usize = 64 << 20;

// Markers: ITU-T T.81, table B.1. Each stands behind a byte 0xff.
const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Pictures read from a stream.
pub struct Film<R> {
    bytes: R,
    name: PathBuf,
    max_pixels: u64,
}

impl Film<BufReader<File>> {
    /// The film in a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn open(path: &Path, max_pixels: u64) -> Result<Self> {
        let file = File::open(path)
            .map_err(|source| Error::io(path, source, "check the name and the permissions"))?;
        Ok(Film::new(BufReader::new(file), path, max_pixels))
    }
}

impl<R: BufRead> Film<R> {
    /// The film that a stream brings.
    pub fn new(bytes: R, name: &Path, max_pixels: u64) -> Film<R> {
        Film { bytes, name: name.to_owned(), max_pixels }
    }

    /// The bytes of the next picture, from its first marker to its last; none at the end.
    fn picture(&mut self) -> Result<Option<Vec<u8>>> {
        let mut picture = Vec::new();
        match self.read(1, &mut picture) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.and_then(|()| self.read(1, &mut picture)).map_err(|e| self.broken(e))?,
        }
        if picture != [0xff, START] {
            return Err(Error::format(
                &self.name,
                "is no film of JPEG pictures; make one with ffmpeg -i FILM -f mjpeg -q:v 2 FILM.mjpeg",
            ));
        }
        self.segments(&mut picture).map_err(|e| self.broken(e))?;
        Ok(Some(picture))
    }

    /// The segments up to the end of the picture. What looks like a marker within a segment, as that of a small picture in EXIF
    /// does, is skipped by the segment's length; within a scan, only a byte 0 or a restart (0xd0 to 0xd7) may follow 0xff.
    fn segments(&mut self, picture: &mut Vec<u8>) -> std::io::Result<()> {
        let mut marker = self.marker(picture)?;
        while marker != END {
            if !matches!(marker, 0x01 | 0xd0..=0xd7) {
                self.read(2, picture)?;
                let length = u16::from_be_bytes([picture[picture.len() - 2], picture[picture.len() - 1]]);
                let content = usize::from(length).checked_sub(2).ok_or(ErrorKind::InvalidData)?;
                self.read(content, picture)?;
            }
            marker = if marker == SCAN { self.scan(picture)? } else { self.marker(picture)? };
        }
        Ok(())
    }

    /// The marker that comes next.
    fn marker(&mut self, picture: &mut Vec<u8>) -> std::io::Result<u8> {
        self.read(1, picture)?;
        if picture.last() != Some(&0xff) {
            return Err(ErrorKind::InvalidData.into());
        }
        self.code(picture)
    }

    /// What stands behind one or more 0xff.
    fn code(&mut self, picture: &mut Vec<u8>) -> std::io::Result<u8> {
        loop {
            self.read(1, picture)?;
            match picture.last() {
                Some(0xff) => {}
                code => return Ok(*code.expect("it was just read")),
            }
        }
    }

    /// The data of a scan, and the marker behind it.
    fn scan(&mut self, picture: &mut Vec<u8>) -> std::io::Result<u8> {
        loop {
            let here = self.bytes.fill_buf()?;
            if here.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match here.iter().position(|&byte| byte == 0xff) {
                None => {
                    let all = here.len();
                    self.read(all, picture)?;
                }
                Some(at) => {
                    self.read(at + 1, picture)?;
                    match self.code(picture)? {
                        0x00 | 0xd0..=0xd7 => {}
                        marker => return Ok(marker),
                    }
                }
            }
        }
    }

    fn read(&mut self, count: usize, into: &mut Vec<u8>) -> std::io::Result<()> {
        if into.len() + count > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let start = into.len();
        into.resize(start + count, 0);
        self.bytes.read_exact(&mut into[start..])
    }

    fn broken(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => {
                Error::format(&self.name, "ends in the middle of a picture; copy it again")
            }
            ErrorKind::InvalidData => Error::format(&self.name, "is damaged within a picture; copy it again"),
            ErrorKind::FileTooLarge => {
                Error::format(&self.name, "holds a picture of more than 64 MiB; make the pictures smaller")
            }
            _ => Error::io(&self.name, error, "check the file and run again"),
        }
    }
}

impl<R: BufRead> Source for Film<R> {
    fn next(&mut self) -> Result<Option<Frame>> {
        let Some(bytes) = self.picture()? else { return Ok(None) };
        let picture = decode_bytes(&self.name, &bytes, self.max_pixels);
        Ok(Some(Frame { name: None, picture }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use lookalike::vision::{RgbImage, encode_jpeg};

    use super::*;

    /// Bytes that come a few at a time, as through a pipe.
    struct Pipe<'a>(&'a [u8], usize);

    impl Read for Pipe<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let few = into.len().min(self.1);
            self.0.read(&mut into[..few])
        }
    }

    fn film(bytes: &[u8], piece: usize) -> Film<BufReader<Pipe<'_>>> {
        Film::new(BufReader::with_capacity(piece.max(1), Pipe(bytes, piece)), Path::new("film"), 1 << 20)
    }

    /// Pictures of different sizes and colours.
    fn pictures() -> Vec<Vec<u8>> {
        let picture = |i: usize| {
            let mut image = RgbImage::filled(40 + 8 * i, 30, [90, 70 + 20 * i as u8, 200]);
            image.paste(&RgbImage::filled(9, 9, [255, 255 - 30 * i as u8, 7]), 5 * i, 11);
            encode_jpeg(&image).unwrap()
        };
        (0..4).map(picture).collect()
    }

    #[test]
    fn pictures_are_told_apart_however_they_come() {
        let pictures = pictures();
        // A small picture within a segment, as EXIF has it.
        let mut nested = pictures[0].clone();
        let length = (pictures[1].len() + 2) as u16;
        nested.splice(2..2, [&[0xff, 0xe1], &length.to_be_bytes()[..], &pictures[1]].concat());
        let all = [&[nested], &pictures[..]].concat();
        let bytes = all.concat();
        for piece in [1, 2, 3, 7, 64, 8192] {
            let mut film = film(&bytes, piece);
            for expected in &all {
                let found = film.picture().unwrap().expect("a picture");
                assert_eq!(found.len(), expected.len(), "pieces of {piece}");
                assert_eq!(&found, expected);
            }
            assert!(film.picture().unwrap().is_none());
        }
    }

    #[test]
    fn a_film_that_is_none_or_broken_is_an_error() {
        let whole = pictures().concat();
        assert!(film(b"RIFF....AVI", 64).picture().unwrap_err().to_string().contains("ffmpeg"));
        assert!(film(b"", 64).picture().unwrap().is_none());
        let mut cut = film(&whole[..whole.len() - 5], 64);
        let last = std::iter::from_fn(|| cut.picture().transpose()).last().unwrap();
        assert!(last.unwrap_err().to_string().contains("in the middle"));
        let mut damaged = pictures()[0].clone();
        damaged[2] = 0x12;
        assert!(film(&damaged, 64).picture().unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_picture_that_cannot_be_decoded_does_not_end_the_film() {
        let pictures = pictures();
        let bytes = [&[0xff, START, 0xff, END][..], &pictures[2]].concat();
        let mut film = film(&bytes, 64);
        assert!(film.next().unwrap().expect("a frame").picture.is_err());
        assert_eq!(film.next().unwrap().expect("a frame").picture.unwrap().width(), 56);
        assert!(film.next().unwrap().is_none());
    }
}
