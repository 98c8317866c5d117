//! Text in a page.

use base64::prelude::{BASE64_STANDARD, Engine};

/// Text between tags or in an attribute. What XML knows no letter for, such as a control character in the name of a folder, is
/// replaced.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            '\t' | '\n' | '\r' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Somebody's name, or a photo's: it may be written from right to left and must not turn what stands around it, and it may be
/// broken where it is joined.
pub(super) fn name(text: &str) -> String {
    let pieces: Vec<String> = text.split_inclusive(['_', '/', '\\']).map(escaped).collect();
    format!("<bdi>{}</bdi>", pieces.join("<wbr/>"))
}

/// A JPEG file as an address that holds all of it.
pub(super) fn data_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_taken_for_a_tag() {
        assert_eq!(
            escaped("<script>\"a\" & 'b'</script>"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;"
        );
        assert_eq!(escaped("עדה 😀\u{1b}[31m\n"), "עדה 😀\u{fffd}[31m ");
        assert_eq!(name("a<b_c"), "<bdi>a&lt;b_<wbr/>c</bdi>");
    }

    #[test]
    fn a_picture_is_in_its_address() {
        assert_eq!(data_uri(&[255, 216]), "data:image/jpeg;base64,/9g=");
    }
}
