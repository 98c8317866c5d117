//! A camera of this machine: V4L2, AVFoundation or Media Foundation.

use std::fmt;
use std::time::Duration;

use cameras::{Device, PixelFormat, Resolution, StreamConfig};
use lookalike::vision::RgbImage;
use lookalike::{Error, Result};

use super::{Frame, Source};

/// For a frame, at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is asked of the camera, which may give something near it: enough for faces from a metre or two.
const WANTED: StreamConfig = StreamConfig {
    resolution: Resolution { width: 640, height: 480 },
    framerate: 30,
    pixel_format: PixelFormat::Mjpeg,
};

/// A camera that runs.
pub struct Camera {
    device: Device,
    camera: cameras::Camera,
}

impl Camera {
    /// Opens the camera of this number.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none, or it gives no pictures.
    pub fn open(number: usize) -> Result<Camera> {
        let refused = |problem: cameras::Error| {
            Error::Input(format!(
                "the camera cannot be used ({problem}); close other programs that use it, and check that you may"
            ))
        };
        let mut devices = cameras::devices().map_err(refused)?;
        let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
        if number >= devices.len() {
            return Err(Error::Input(match &names[..] {
                [] => "no camera was found; connect one, or name a folder or film (--source)".into(),
                names => format!("there is no camera {number}; found: {}", names.join(", ")),
            }));
        }
        let device = devices.swap_remove(number);
        let capabilities = cameras::probe(&device).map_err(refused)?;
        let format = cameras::best_format(&capabilities, &WANTED);
        let config = format.map_or(WANTED, |format| StreamConfig {
            resolution: format.resolution,
            pixel_format: format.pixel_format,
            ..WANTED
        });
        let camera = cameras::open(&device, config).map_err(refused)?;
        Ok(Camera { device, camera })
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resolution { width, height } = self.camera.config.resolution;
        write!(f, "{}, {width} × {height}", self.device.name)
    }
}

impl Source for Camera {
    fn next(&mut self) -> Result<Option<Frame>> {
        // Those that have come while the last one was looked at are old.
        let mut newest = None;
        while let Some(frame) = cameras::try_next_frame(&self.camera) {
            newest = Some(frame);
        }
        let frame = newest.unwrap_or_else(|| cameras::next_frame(&self.camera, PATIENCE));
        let frame = frame.map_err(|problem| {
            Error::Input(format!("the camera gives no more pictures ({problem}); connect it again"))
        })?;
        let picture = cameras::to_rgb8(&frame)
            .map_err(|problem| Error::Input(format!("a frame that cannot be read: {problem}")))
            .and_then(|pixels| RgbImage::new(frame.width as usize, frame.height as usize, pixels));
        Ok(Some(Frame { name: None, picture }))
    }
}
