//! The photos of the demo: ten people of the ORL Database of Faces, in the program itself.

/// Whom the pictures' owners ask to credit.
pub const CREDIT: &str =
    "ORL Database of Faces, Olivetti Research Laboratory (now AT&T Laboratories Cambridge)";

/// A person's name and photos, as PNG files.
pub type Person = (&'static str, [&'static [u8]; 10]);

/// One photo, and all photos of one person: `include_bytes!` takes no names that are computed.
macro_rules! person {
    ($name:literal) => {
        person!($name, "01" "02" "03" "04" "05" "06" "07" "08" "09" "10")
    };
    ($name:literal, $($photo:literal)*) => {
        ($name, [$(include_bytes!(concat!("../../../assets/demo/", $name, "/", $photo, ".png"))),*])
    };
}

/// Everybody.
pub const PEOPLE: [Person; 10] = [
    person!("s01"),
    person!("s02"),
    person!("s03"),
    person!("s04"),
    person!("s05"),
    person!("s06"),
    person!("s07"),
    person!("s08"),
    person!("s09"),
    person!("s10"),
];
