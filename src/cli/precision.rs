//! `--precision`.

use clap::ValueEnum;
use lookalike::Device;
use lookalike::tensor::Precision;

use super::display::note;

/// Floats of 16 or 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Floats {
    /// 16-bit floats
    F16,
    /// 32-bit floats
    #[default]
    F32,
}

impl Floats {
    /// What it means to the library.
    pub fn precision(self) -> Precision {
        match self {
            Floats::F16 => Precision::F16,
            Floats::F32 => Precision::F32,
        }
    }

    /// The same; says so where the device keeps its tensors in 32 bits all the same.
    pub fn on(self, device: &Device) -> Precision {
        if self == Floats::F16 && device.keeps(Precision::F16) == Precision::F32 {
            note(
                "--precision f16: this device gains nothing from 16-bit floats and keeps its tensors in 32 bits",
            );
        }
        self.precision()
    }
}
