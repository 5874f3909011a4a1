//! Deserializes a struct from a JSON object in which names may be repeated.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer,
    MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Deserializes the object that `text` begins with. The last value of a repeated name is used, where serde's derive would
/// refuse the object; an array is not an object, where the derive would accept one.
///
/// Reads the text twice instead of buffering the values in between: unknown and repeated ones are skipped, and use no memory.
pub(super) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    T::deserialize(Object { text })
}

struct Object<'a> {
    text: &'a str,
}

impl<'de> Deserializer<'de> for Object<'de> {
    type Error = serde_json::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let mut reader = serde_json::Deserializer::from_str(self.text);
        // `end` is not called on either reader, so that text after the object is ignored.
        let last = reader.deserialize_map(FindLast { fields })?;
        let mut reader = serde_json::Deserializer::from_str(self.text);
        reader.deserialize_map(TakeLast {
            fields,
            last,
            visitor,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        serde_json::Deserializer::from_str(self.text).deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Finds the index of the last member with the name of each field.
struct FindLast {
    fields: &'static [&'static str],
}

impl<'de> Visitor<'de> for FindLast {
    type Value = Vec<Option<usize>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut last = vec![None; self.fields.len()];
        let mut index = 0;
        while let Some(field) = map.next_key_seed(FieldIndex(self.fields))? {
            map.next_value::<IgnoredAny>()?;
            if let Some(field) = field {
                last[field] = Some(index);
            }
            index += 1;
        }
        Ok(last)
    }
}

/// Passes on only those members.
struct TakeLast<V> {
    fields: &'static [&'static str],
    last: Vec<Option<usize>>,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TakeLast<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.visitor.visit_map(Members {
            map,
            fields: self.fields,
            last: self.last,
            index: 0,
        })
    }
}

struct Members<A> {
    map: A,
    fields: &'static [&'static str],
    last: Vec<Option<usize>>,
    /// The index of the next member.
    index: usize,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        while let Some(field) = self.map.next_key_seed(FieldIndex(self.fields))? {
            let index = self.index;
            self.index += 1;
            match field {
                Some(field) if self.last[field] == Some(index) => {
                    let name: StrDeserializer<'_, A::Error> =
                        self.fields[field].into_deserializer();
                    return seed.deserialize(name).map(Some);
                }
                _ => drop(self.map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Self::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Deserializes a name as the index of its field.
struct FieldIndex(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for FieldIndex {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldIndex {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|field| *field == name))
    }
}
