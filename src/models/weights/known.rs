//! Files that are known by their checksum, and what pixels they want.

use crate::ops::Normalize;

/// A public file of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KerasFile {
    /// Its name, here as there.
    pub name: &'static str,
    /// Where Keras keeps it.
    pub url: &'static str,
    /// Its MD5 in hexadecimal digits, which is what Keras publishes.
    pub md5: &'static str,
}

/// The convolutional base of VGG16, trained on ImageNet: `WEIGHTS_PATH_NO_TOP` and `file_hash` in
/// `keras/src/applications/vgg16.py` of Keras 3.15.
pub const VGG16: KerasFile = KerasFile {
    name: "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    url: "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/\
          vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5: "6d6bbae143d832006294945121d1f1fc",
};

/// MD5 of Keras's VGG16 with its dense layers, from the same place.
const VGG16_WITH_TOP: &str = "64373286793e3c8b2b4e3219cbf3544b";

/// Torchvision's VGG16 in Keras's names, as it circulates: SHA-256 of the `.h5` with 32-bit floats and of the
/// `.safetensors` with 16-bit ones.
const VGG16_OF_TORCHVISION: [&str; 2] = [
    "bc4eb60db3e686955f9b1e4f61f3d6145f2aa98aba0314df1ee470bd2447e319",
    "5ceae5571998fdc380c94c1fe433e6541914e250f47d0e671a93c5c1b14a170a",
];

/// How pixels have to be prepared for the file with these checksums, if it is known. The files have the same shapes, so
/// nothing else tells.
pub(super) fn normalize(sha256: &str, md5: &str) -> Option<Normalize> {
    if VGG16_OF_TORCHVISION.contains(&sha256) {
        Some(Normalize::torch())
    } else if [VGG16.md5, VGG16_WITH_TOP].contains(&md5) {
        Some(Normalize::caffe())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_files_bring_their_preprocessing() {
        for sha256 in VGG16_OF_TORCHVISION {
            assert_eq!(normalize(sha256, "md5"), Some(Normalize::torch()));
        }
        for md5 in [VGG16.md5, VGG16_WITH_TOP] {
            assert_eq!(normalize("sha256", md5), Some(Normalize::caffe()));
        }
        assert_eq!(normalize("sha256", "md5"), None);
    }
}
