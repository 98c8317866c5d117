//! Writing HDF5: a tree of groups in memory becomes the bytes of a file.

use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder, FinishedGroup, GroupBuilder};

use crate::caught::caught;
use crate::tensor::HostTensor;

/// A group of an HDF5 file to be, its root for instance.
#[derive(Clone, Debug, Default)]
pub struct Hdf5Group {
    attributes: Vec<(String, Attribute)>,
    arrays: Vec<(String, HostTensor)>,
    groups: Vec<(String, Hdf5Group)>,
}

#[derive(Clone, Debug)]
enum Attribute {
    Text(String),
    Texts(Vec<String>),
}

impl Hdf5Group {
    /// Sets a text attribute. Its text may be of any length: it is kept outside the object's header.
    pub fn text(&mut self, name: &str, text: impl Into<String>) {
        self.attributes.push((name.into(), Attribute::Text(text.into())));
    }

    /// Sets an attribute that lists texts.
    pub fn texts(&mut self, name: &str, texts: Vec<String>) {
        self.attributes.push((name.into(), Attribute::Texts(texts)));
    }

    /// Adds an array of 32-bit floats at `path`, whose groups are made where they lack.
    pub fn floats(&mut self, path: &str, tensor: HostTensor) {
        let (group, name) = self.parent(path);
        group.arrays.push((name.into(), tensor));
    }

    /// The group at `path`, made where it lacks.
    pub fn group(&mut self, path: &str) -> &mut Hdf5Group {
        path.split('/').fold(self, |group, name| {
            let known = group.groups.iter().position(|(known, _)| known == name);
            let at = known.unwrap_or_else(|| {
                group.groups.push((name.into(), Hdf5Group::default()));
                group.groups.len() - 1
            });
            &mut group.groups[at].1
        })
    }

    /// The bytes of a file with this root. Equal groups give equal bytes.
    ///
    /// # Errors
    /// What the format cannot hold, as text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let build = || {
            let mut file = FileBuilder::new();
            for (name, attribute) in &self.attributes {
                file.set_attr(name, attribute.value());
            }
            for (name, array) in &self.arrays {
                describe(file.create_dataset(name), array);
            }
            for (name, group) in &self.groups {
                let builder = file.create_group(name);
                file.add_group(group.finish(builder));
            }
            file.finish()
        };
        let outcome = caught(build).ok_or("the encoder failed on it")?;
        outcome.map_err(|error| error.to_string())
    }

    fn parent<'p>(&mut self, path: &'p str) -> (&mut Hdf5Group, &'p str) {
        match path.rsplit_once('/') {
            Some((folder, name)) => (self.group(folder), name),
            None => (self, path),
        }
    }

    fn finish(&self, mut builder: GroupBuilder) -> FinishedGroup {
        for (name, attribute) in &self.attributes {
            builder.set_attr(name, attribute.value());
        }
        for (name, array) in &self.arrays {
            describe(builder.create_dataset(name), array);
        }
        for (name, group) in &self.groups {
            let inner = builder.create_group(name);
            builder.add_group(group.finish(inner));
        }
        builder.finish()
    }
}

impl Attribute {
    fn value(&self) -> AttrValue {
        match self {
            Attribute::Text(text) => AttrValue::VarLenString(text.clone()),
            // An empty list of texts is what h5py makes of it: an empty list of numbers.
            Attribute::Texts(texts) if texts.is_empty() => AttrValue::F64Array(vec![]),
            Attribute::Texts(texts) => AttrValue::VarLenStringArray(texts.clone()),
        }
    }
}

fn describe(dataset: &mut DatasetBuilder, array: &HostTensor) {
    let shape: Vec<u64> = array.shape().iter().map(|&size| size as u64).collect();
    dataset.with_f32_data(&array.to_f32()).with_shape(&shape);
}
