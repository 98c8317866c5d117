//! Scores as text: a row per person, and who was taken for whom.

use lookalike::report::percent;
use lookalike::train::Confusion;

/// People up to whom the matrix itself is printed; a larger one would not fit the width of a terminal.
const WIDEST: usize = 20;
/// Longest name that is written out.
const LONGEST_NAME: usize = 24;

/// The name, shortened where it is too long for a column.
pub fn shortened(name: &str) -> String {
    match name.chars().count() > LONGEST_NAME {
        true => name.chars().take(LONGEST_NAME - 1).chain(['…']).collect(),
        false => name.to_string(),
    }
}

/// Precision, recall, F1 and number of faces of each person.
pub fn person_table(names: &[String], confusion: &Confusion) -> String {
    let width = name_width(names).max("person".len());
    let mut text = format!("{:<width$}  precision   recall       F1   faces", "person");
    for (person, name) in names.iter().enumerate() {
        let scores = confusion.person(person);
        let shown = |share: Option<f64>| share.map_or("-".to_string(), percent);
        text += &format!(
            "\n{:<width$}  {:>9}  {:>7}  {:>7}  {:>6}",
            shortened(name),
            shown(scores.precision),
            shown(scores.recall),
            shown(scores.f1),
            scores.support,
        );
    }
    text
}

/// The confusion matrix, its columns numbered as its rows; of many people, the list of confusions.
pub fn confusion(names: &[String], confusion: &Confusion) -> String {
    if names.len() > WIDEST { mistakes(names, confusion) } else { matrix(names, confusion) }
}

fn matrix(names: &[String], confusion: &Confusion) -> String {
    const CORNER: &str = "taken for";
    let digits = names.len().to_string().len();
    let row_names: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| format!("{:>digits$}  {}", i + 1, shortened(name)))
        .collect();
    let left = row_names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(CORNER.len());
    let largest = confusion.counts.iter().flatten().max().copied().unwrap_or(0).max(names.len());
    let cell = largest.to_string().len() + 2;
    let columns: String = (1..=names.len()).map(|column| format!("{column:>cell$}")).collect();
    let mut text = format!("{CORNER:<left$}{columns}");
    for (name, counts) in row_names.iter().zip(&confusion.counts) {
        text += &format!("\n{name:<left$}");
        for &count in counts {
            let shown = if count == 0 { "·".to_string() } else { count.to_string() };
            text += &format!("{shown:>cell$}");
        }
    }
    text
}

fn mistakes(names: &[String], confusion: &Confusion) -> String {
    let mut found = Vec::new();
    for (truth, counts) in confusion.counts.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(taken, &count)| taken != truth && count > 0);
        found.extend(wrong.map(|(taken, &count)| (count, truth, taken)));
    }
    if found.is_empty() {
        return "nobody was taken for somebody else".into();
    }
    found.sort_by_key(|&(count, truth, taken)| (std::cmp::Reverse(count), truth, taken));
    let width = name_width(names);
    let line = |&(count, truth, taken): &(usize, usize, usize)| {
        format!(
            "{:<width$}  taken for  {:<width$}  {count:>4}",
            shortened(&names[truth]),
            shortened(&names[taken])
        )
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn name_width(names: &[String]) -> usize {
    names.iter().map(|name| shortened(name).chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: usize) -> (Vec<String>, Confusion) {
        let names = (0..count).map(|i| format!("somebody with a long name {i}")).collect();
        let mut confusion = Confusion::new(count);
        for person in 0..count {
            confusion.add(person, person);
        }
        confusion.add(0, 1);
        (names, confusion)
    }

    #[test]
    fn few_people_make_an_aligned_matrix() {
        let (names, counts) = people(12);
        let text = confusion(&names, &counts);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        assert_eq!(widths.len(), 13);
        let short = ["a".to_string(), "b".to_string()];
        let mut two = Confusion::new(2);
        two.add(1, 0);
        let expected = "taken for  1  2\n1  a       ·  ·\n2  b       1  ·";
        assert_eq!(confusion(&short, &two), expected);
    }

    #[test]
    fn of_many_people_the_mistakes_are_listed() {
        let (names, counts) = people(50);
        let text = confusion(&names, &counts);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.chars().count() <= 80 && text.ends_with(" 1"), "{text}");
        assert!(confusion(&names, &Confusion::new(50)).starts_with("nobody"));
    }

    #[test]
    fn a_person_without_faces_has_no_scores() {
        let (mut names, mut counts) = people(2);
        names.push("x".into());
        counts.counts.push(vec![0; 3]);
        counts.counts[0].push(0);
        counts.counts[1].push(0);
        let table = person_table(&names, &counts);
        assert!(table.lines().last().unwrap().contains(" -        -        -       0"), "{table}");
    }
}
