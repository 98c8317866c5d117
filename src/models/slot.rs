//! What Keras 3 calls the place of a layer's variables in its files: the class, numbered among the layers of its model.

/// `conv2d`, `conv2d_1`, …
pub(super) fn numbered(class: &str, number: usize) -> String {
    if number == 0 { class.to_string() } else { format!("{class}_{number}") }
}

/// Keras's name for the place of a class: `BatchNormalization` as `batch_normalization`, `Conv2D` as `conv2d`.
pub(super) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut name = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|at| letters[at]);
        let begins_word = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let ends_lower = before.is_some_and(|c| c.is_ascii_lowercase());
        if before.is_some() && letter.is_ascii_uppercase() && (begins_word || ends_lower) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_called_as_keras_calls_them() {
        // keras.src.utils.naming.to_snake_case
        let names = [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("MaxPooling2D", "max_pooling2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("Dense", "dense"),
            ("PReLU", "p_re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("InputLayer", "input_layer"),
        ];
        for (class, name) in names {
            assert_eq!(snake_case(class), name);
        }
    }
}
