//! Reads a cascade from OpenCV's XML format. Trusts nothing in it: the scan indexes by what stands here.

use std::fmt::Display;
use std::str::FromStr;

use roxmltree::{Document, Node};

use super::{Block, Cascade, CascadeOptions, Stage, Stump};
use crate::{Error, Result};

/// Bytes of the largest file read: OpenCV's have 50,000. The parser takes up to 20 times as many.
const MAX_BYTES: usize = 2 << 20;
/// Signs of equality between one `<` and the next, so attributes of one element: OpenCV's have one.
const MAX_ATTRIBUTES: usize = 1000;
/// Pixels of the largest window side: OpenCV's have 20 to 45.
const MAX_WINDOW: usize = 1024;

/// Reads the cascade. Elements it does not need, `featureParams` among them, may be missing or misspelt.
pub(super) fn parse(text: &str) -> Result<Cascade> {
    expect_affordable(text)?;
    let document = Document::parse(text).map_err(|e| bad(format!("is not valid XML ({e})")))?;
    let root = document
        .descendants()
        .find(|node| node.has_tag_name("cascade"))
        .ok_or_else(|| bad("has no <cascade>"))?;
    expect_text(root, "stageType", "BOOST")?;
    expect_text(root, "featureType", "LBP")?;
    let width = number(root, "width")?;
    let height = number(root, "height")?;
    if !(1..=MAX_WINDOW).contains(&width) || !(1..=MAX_WINDOW).contains(&height) {
        return Err(bad(format!(
            "has a window of {width}x{height}, expected 1 to {MAX_WINDOW} pixels a side"
        )));
    }

    let blocks = items(child(root, "features")?)
        .map(|feature| block(feature, width, height))
        .collect::<Result<Vec<_>>>()?;
    let stages =
        items(child(root, "stages")?).map(|node| stage(node, blocks.len())).collect::<Result<Vec<_>>>()?;
    if stages.is_empty() {
        return Err(bad("has no stages"));
    }
    Ok(Cascade { width, height, blocks, stages, options: CascadeOptions::default() })
}

/// The parser compares each attribute of an element with the others, and copies an element's namespaces to those inside
/// it: a short file could keep it busy for hours. It refuses entities by itself.
fn expect_affordable(text: &str) -> Result<()> {
    if text.len() > MAX_BYTES {
        return Err(bad(format!("has {} bytes, at most {MAX_BYTES} are read", text.len())));
    }
    let attributes = |tag: &str| tag.bytes().filter(|&byte| byte == b'=').count();
    if text.split('<').any(|tag| attributes(tag) > MAX_ATTRIBUTES) {
        return Err(bad(format!("has an element of more than {MAX_ATTRIBUTES} attributes")));
    }
    if text.contains("xmlns") {
        return Err(bad("declares an XML namespace, expected none"));
    }
    Ok(())
}

fn block(feature: Node, width: usize, height: usize) -> Result<Block> {
    let numbers: Vec<usize> = numbers(feature, "rect")?;
    let &[x, y, block_width, block_height] = &numbers[..] else {
        return Err(bad(format!("has a <rect> of {} numbers, expected 4", numbers.len())));
    };
    let fits = |at: usize, size: usize, window: usize| {
        size > 0
            && size.checked_mul(3).and_then(|extent| extent.checked_add(at)).is_some_and(|end| end <= window)
    };
    if !fits(x, block_width, width) || !fits(y, block_height, height) {
        return Err(bad(format!(
            "has the feature {x} {y} {block_width} {block_height}, whose 3x3 blocks do not fit into the window of \
             {width}x{height}"
        )));
    }
    Ok(Block { x, y, width: block_width, height: block_height })
}

fn stage(node: Node, features: usize) -> Result<Stage> {
    let threshold = finite(number(node, "stageThreshold")?)?;
    let stumps = items(child(node, "weakClassifiers")?)
        .map(|node| stump(node, features))
        .collect::<Result<Vec<_>>>()?;
    if stumps.is_empty() {
        return Err(bad("has a stage without weak classifiers"));
    }
    Ok(Stage { threshold, stumps })
}

fn stump(node: Node, features: usize) -> Result<Stump> {
    // Left child, right child, feature, and eight words that hold one bit for each of the 256 patterns.
    let words: Vec<i64> = numbers(node, "internalNodes")?;
    let &[_, _, feature, ref bits @ ..] = &words[..] else {
        return Err(bad(format!("has <internalNodes> of {} numbers, expected 11", words.len())));
    };
    if bits.len() != 8 {
        return Err(bad(format!(
            "has <internalNodes> of {} numbers, expected 11: only trees of one node are supported",
            words.len()
        )));
    }
    let feature = usize::try_from(feature)
        .ok()
        .filter(|&index| index < features)
        .ok_or_else(|| bad(format!("asks for feature {feature} of {features}")))?;
    let mut patterns = [0; 8];
    for (word, &bits) in patterns.iter_mut().zip(bits) {
        let signed =
            i32::try_from(bits).map_err(|_| bad(format!("has {bits} where 32 bits are expected")))?;
        *word = signed.cast_unsigned();
    }
    let leaves: Vec<f32> = numbers(node, "leafValues")?;
    let &[inside, outside] = &leaves[..] else {
        return Err(bad(format!("has <leafValues> of {} numbers, expected 2", leaves.len())));
    };
    Ok(Stump { feature, patterns, inside: finite(inside)?, outside: finite(outside)? })
}

fn bad(problem: impl Display) -> Error {
    Error::format("cascade", format!("{problem}; give an LBP cascade in OpenCV's XML format"))
}

fn child<'a, 'i>(parent: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>> {
    parent
        .children()
        .find(|node| node.has_tag_name(name))
        .ok_or_else(|| bad(format!("has no <{name}> in <{}>", parent.tag_name().name())))
}

/// The elements of a list: OpenCV names each `_`.
fn items<'a, 'i>(list: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    list.children().filter(Node::is_element)
}

fn numbers<T: FromStr>(parent: Node, name: &str) -> Result<Vec<T>> {
    let text = child(parent, name)?.text().unwrap_or_default();
    let parse =
        |word: &str| word.parse().map_err(|_| bad(format!("has '{word:.40}' for a number in <{name}>")));
    text.split_whitespace().map(parse).collect()
}

fn number<T: FromStr + Copy>(parent: Node, name: &str) -> Result<T> {
    match numbers(parent, name)?[..] {
        [one] => Ok(one),
        ref other => Err(bad(format!("has {} numbers in <{name}>, expected 1", other.len()))),
    }
}

fn finite(value: f32) -> Result<f32> {
    if value.is_finite() { Ok(value) } else { Err(bad(format!("has the value {value}"))) }
}

fn expect_text(parent: Node, name: &str, expected: &str) -> Result<()> {
    match child(parent, name)?.text().unwrap_or_default().trim() {
        found if found == expected => Ok(()),
        found => Err(bad(format!("has <{name}> '{found:.40}', expected '{expected}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest cascade: one stage, one stump, one feature.
    const SMALL: &str =
        "<?xml version=\"1.0\"?><opencv_storage><cascade type_id=\"opencv-cascade-classifier\">
        <stageType>BOOST</stageType><featureType>LBP</featureType><height>24</height><width>20</width>
        <featuhreParams><maxCatCount>256</maxCatCount></featuhreParams>
        <stages><_><stageThreshold>-0.5</stageThreshold><weakClassifiers><_>
        <internalNodes>0 -1 0 -1 1 2 3 4 5 6 -2147483648</internalNodes><leafValues>-0.25 0.75</leafValues>
        </_></weakClassifiers></_></stages>
        <features><_><rect>2 3 6 7</rect></_></features></cascade></opencv_storage>";

    #[test]
    fn reads_every_number() {
        let cascade = parse(SMALL).unwrap();
        assert_eq!((cascade.width, cascade.height), (20, 24));
        assert_eq!(cascade.blocks, [Block { x: 2, y: 3, width: 6, height: 7 }]);
        assert_eq!(cascade.stages.len(), 1);
        assert_eq!(cascade.stages[0].threshold, -0.5);
        let stump = &cascade.stages[0].stumps[0];
        assert_eq!(stump.patterns, [u32::MAX, 1, 2, 3, 4, 5, 6, 1 << 31]);
        assert_eq!((stump.feature, stump.inside, stump.outside), (0, -0.25, 0.75));
    }

    #[test]
    fn reads_the_frontal_cascade() {
        let cascade = Cascade::frontal();
        assert_eq!((cascade.width, cascade.height, cascade.stages.len()), (24, 24, 20));
        assert_eq!(cascade.stages.iter().map(|stage| stage.stumps.len()).sum::<usize>(), 139);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("<height>24</height>", "<height>0</height>", "window of 20x0"),
            ("<height>24</height>", "<height>99999999999999999999999</height>", "'99999999999999999999999'"),
            ("<height>24</height>", "<height>-24</height>", "'-24'"),
            ("<height>24</height>", "<height>2000000000</height>", "window of 20x2000000000"),
            ("<height>24</height>", "", "no <height>"),
            ("LBP", "HAAR", "expected 'LBP'"),
            ("2 3 6 7", "2 3 6 8", "do not fit"),
            ("2 3 6 7", "18446744073709551615 3 6 7", "do not fit"),
            ("2 3 6 7", "2 3 9223372036854775807 7", "do not fit"),
            ("2 3 6 7", "2 3 0 7", "do not fit"),
            ("2 3 6 7", "2 3 6", "3 numbers, expected 4"),
            ("<rect>2 3 6 7</rect>", "", "no <rect>"),
            ("0 -1 0 -1", "0 -1 1 -1", "feature 1 of 1"),
            ("0 -1 0 -1", "0 -1 -5 -1", "feature -5 of 1"),
            ("5 6 -2147483648", "5 6 -2147483649", "-2147483649"),
            ("5 6 -2147483648", "5 6", "10 numbers"),
            ("0 -1 0 -1 1 2 3 4 5 6 -2147483648", "0", "1 numbers"),
            ("-0.25 0.75", "-0.25 NaN", "value NaN"),
            ("-0.25 0.75", "-0.25 1e999", "value inf"),
            ("-0.25 0.75", "-0.25", "1 numbers, expected 2"),
            ("-0.5", "much", "'much'"),
            ("</cascade>", "", "not valid XML"),
            ("cascade", "cascode", "no <cascade>"),
            ("_>", "X/><!-- ", "not valid XML"),
        ];
        for (from, to, expected) in cases {
            let text = SMALL.replace(from, to);
            assert_ne!(text, SMALL, "{from}");
            let error = parse(&text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{from} -> {to}: {error}");
            assert!(error.contains("give an LBP cascade"), "{error}");
        }
        assert!(parse("").is_err() && parse("no XML").is_err());
        assert!(parse(&SMALL.replace("<stages>", "<stages/><stages>")).is_err(), "no stages");
    }

    #[test]
    fn what_would_take_a_parser_long_is_an_error() {
        let refused = |text: &str, expected: &str| {
            let error = parse(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(&"<a>".repeat(3_000_000), "has 9000000 bytes, at most 2097152");
        refused(&"<a>".repeat(600_000), "not valid XML");
        refused(&("<cascade>".repeat(100_000) + &"</cascade>".repeat(100_000)), "no <stageType>");
        refused(
            "<!DOCTYPE a [<!ENTITY x \"xxxx\"><!ENTITY y \"&x;&x;\">]><cascade>&y;</cascade>",
            "not valid XML",
        );
        let attributes: String = (0..150_000).map(|i| format!(" a{i}=''")).collect();
        refused(&format!("<cascade{attributes}/>"), "more than 1000 attributes");
        let namespaces: String = (0..100_000).map(|i| format!("<a xmlns:n{i}='{i}'>")).collect();
        refused(&namespaces[..2_000_000], "namespace");
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_never_panics() {
        for at in 0..SMALL.len() {
            assert!(parse(&SMALL[..at]).is_err(), "cut at {at}");
            for with in ["<", "0", "-", "9", " ", "&", ">"] {
                let mut text = SMALL.to_owned();
                text.replace_range(at..at + 1, with);
                let _ = parse(&text);
            }
        }
    }
}
