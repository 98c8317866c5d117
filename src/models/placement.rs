//! Where networks for faces want a face in their pictures.

/// A frontal face: its five landmarks from the middle of the eyes, in parts of their distance. Medians over 168
/// faces of at least 40 pixels that MTCNN finds with 99 % or more on the test photos `groups` and `singles`, and whose nose is
/// within 0.08 of the middle; made symmetric.
const FRONTAL: [[f32; 2]; 5] = [[-0.5, 0.0], [0.5, 0.0], [0.0, 0.582], [-0.463, 0.988], [0.463, 0.988]];

/// The picture that a network for faces wants to see: how large it is, and where in it the face lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacePlacement {
    /// That of dlib's network, 150 × 150.
    Dlib,
    /// That of ArcFace (Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019), 112 × 112,
    /// which most later networks share.
    ArcFace,
}

impl FacePlacement {
    const ALL: [FacePlacement; 2] = [FacePlacement::Dlib, FacePlacement::ArcFace];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            FacePlacement::Dlib => "dlib",
            FacePlacement::ArcFace => "arcface",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<FacePlacement> {
        FacePlacement::ALL.into_iter().find(|placement| placement.name() == name)
    }

    /// Height and width of the picture.
    pub const fn size(self) -> usize {
        match self {
            FacePlacement::Dlib => 150,
            FacePlacement::ArcFace => 112,
        }
    }

    /// Where the picture has the eyes, the nose and the corners of the mouth, left before right as one looks at it.
    pub fn landmarks(self) -> [[f32; 2]; 5] {
        match self {
            // dlib's crops have the eyes at (47.7, 47.1) and (100.3, 47.1), and only these.
            FacePlacement::Dlib => frontal([74.0, 47.1], 52.6),
            FacePlacement::ArcFace => [
                [38.2946, 51.6963],
                [73.5318, 51.5014],
                [56.0252, 71.7366],
                [41.5493, 92.3655],
                [70.7299, 92.2041],
            ],
        }
    }
}

/// Landmarks of a frontal face with the middle of its eyes, and their distance, here.
pub(crate) fn frontal([x, y]: [f32; 2], apart: f32) -> [[f32; 2]; 5] {
    FRONTAL.map(|[across, down]| [x + apart * across, y + apart * down])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_found_by_its_name() {
        for placement in FacePlacement::ALL {
            assert_eq!(FacePlacement::named(placement.name()), Some(placement));
        }
        assert_eq!(FacePlacement::named("crop"), None);
    }
}
