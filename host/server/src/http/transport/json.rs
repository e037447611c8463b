//! JSON, read as the description of the API means it. JSON Schema knows an object by its
//! members and a whole number by its value; serde by itself also takes a list for an object,
//! member after member, and takes `5.0` for no whole number.
//!
//! Members that serde buffers before it knows their type (`untagged`, `tag`, `flatten`) are
//! read by serde's own rules.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

/// Largest whole number below which every one is a 64 bit floating point number: 2⁵³.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a value, and nothing after it.
///
/// # Errors
/// It is not JSON, or not that of the type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(read)
}

/// What reads in this way, around what serde reads with.
struct Strict<T>(T);

/// A visitor, and what it may be shown.
struct Shown<V> {
    to: V,
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    Object,
    Whole,
}

impl<V> Shown<V> {
    const fn any(to: V) -> Self {
        let wanted = Wanted::Any;
        Self { to, wanted }
    }

    const fn object(to: V) -> Self {
        let wanted = Wanted::Object;
        Self { to, wanted }
    }

    const fn whole(to: V) -> Self {
        let wanted = Wanted::Whole;
        Self { to, wanted }
    }
}

macro_rules! reads {
    ($($method:ident $(($($argument:ident: $type:ty),+))? => $shown:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($($argument: $type,)+)?
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.0.$method($($($argument,)+)? Shown::$shown(visitor))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    reads! {
        deserialize_any => any;
        deserialize_bool => any;
        deserialize_i8 => whole;
        deserialize_i16 => whole;
        deserialize_i32 => whole;
        deserialize_i64 => whole;
        deserialize_i128 => whole;
        deserialize_u8 => whole;
        deserialize_u16 => whole;
        deserialize_u32 => whole;
        deserialize_u64 => whole;
        deserialize_u128 => whole;
        deserialize_f32 => any;
        deserialize_f64 => any;
        deserialize_char => any;
        deserialize_str => any;
        deserialize_string => any;
        deserialize_bytes => any;
        deserialize_byte_buf => any;
        deserialize_option => any;
        deserialize_unit => any;
        deserialize_unit_struct(name: &'static str) => any;
        deserialize_newtype_struct(name: &'static str) => any;
        deserialize_seq => any;
        deserialize_tuple(len: usize) => any;
        deserialize_tuple_struct(name: &'static str, len: usize) => any;
        deserialize_map => any;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => object;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) => any;
        deserialize_identifier => any;
        deserialize_ignored_any => any;
    }
}

macro_rules! shows {
    ($($method:ident: $type:ty;)+) => {$(
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.to.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Shown<V> {
    type Value = V::Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.expecting(to)
    }

    shows! {
        visit_bool: bool;
        visit_i64: i64;
        visit_i128: i128;
        visit_u64: u64;
        visit_u128: u128;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<V::Value, E> {
        let is_whole = value.fract() == 0.0 && value.abs() <= WHOLE_MAX;
        if self.wanted == Wanted::Whole && is_whole {
            return match value < 0.0 {
                true => self.to.visit_i64(value as i64),
                false => self.to.visit_u64(value as u64),
            };
        }
        self.to.visit_f64(value)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.to.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.to.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.to.visit_some(Strict(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.to.visit_newtype_struct(Strict(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        if self.wanted == Wanted::Object {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        self.to.visit_seq(Strict(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.to.visit_map(Strict(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.to.visit_enum(Strict(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(value))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (variant, value) = self.0.variant_seed(seed)?;
        Ok((variant, Strict(value)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Shown::any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Shown::object(visitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        count: Option<u32>,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        many: Vec<Choice>,
        #[serde(default)]
        raw: Option<Box<RawValue>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        signed: i64,
    }

    #[derive(Debug, Deserialize)]
    enum Choice {
        Of { n: u8 },
        Other(Inner),
    }

    fn read(text: &str) -> Result<Outer, String> {
        from_slice(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_is_no_object_wherever_it_stands() {
        for text in [
            "[]",
            "[1, null, [], null]",
            r#"{"inner": [1]}"#,
            r#"{"many": [{"Of": [1]}]}"#,
            r#"{"many": [{"Other": [1]}]}"#,
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.starts_with("invalid type: sequence"), "{refused}");
            assert!(refused.contains("at line 1"), "{refused}");
        }
        let read = read(r#"{"many": [{"Of": {"n": 1}}, {"Other": {"signed": -1}}]}"#);
        let many = read.expect("objects").many;
        assert!(matches!(&many[0], Choice::Of { n: 1 }));
        assert!(matches!(&many[1], Choice::Other(Inner { signed: -1 })));
    }

    #[test]
    fn a_number_without_a_fraction_is_whole() {
        let count = |text: &str| read(&format!("{{\"count\": {text}}}")).map(|it| it.count);
        assert_eq!(count("143.0"), Ok(Some(143)));
        assert_eq!(count("1e3"), Ok(Some(1000)));
        assert_eq!(count("-0.0"), Ok(Some(0)));
        for refused in ["1.5", "-1.0", "4294967296.0", "1e300", "\"1\""] {
            assert!(count(refused).is_err(), "{refused}");
        }
        let signed = read(r#"{"inner": {"signed": -9007199254740992.0}}"#);
        assert_eq!(
            signed.expect("whole").inner.expect("given").signed,
            -(1 << 53)
        );
    }

    #[test]
    fn what_is_kept_as_it_was_written_is() {
        let read = read(r#"{"raw": [1.0,  {"a": 5.0}]}"#).expect("JSON");
        assert_eq!(read.raw.expect("given").get(), r#"[1.0,  {"a": 5.0}]"#);
        assert!(from_slice::<Outer>(b"{} x").is_err(), "what follows");
    }
}
