//! Which descriptions are refused before anything is done.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::error::Error;
use crate::limits::{NAME_BYTES, SPEC_BYTES};
use crate::sandbox::Spec;

/// Checks what does not depend on other sandboxes.
pub(super) fn spec(spec: &Spec, images: &HashMap<String, PathBuf>) -> Result<(), Error> {
    if let Some(name) = &spec.name {
        self::name(name)?;
    }
    if let Some(image) = &spec.image
        && !images.contains_key(image)
    {
        return Err(Error::unsupported(format!(
            "the image {image} is not registered; help: register a root directory under this name"
        )));
    }
    if let Some(name) = &spec.user {
        user(name)?;
    }
    for name in spec.env.keys() {
        let is_name = !name.is_empty() && !name.contains(['=', '\0']);
        if !is_name || spec.env.get(name).is_some_and(|value| value.contains('\0')) {
            return Err(Error::invalid(format!(
                "the variable {name:?} has no valid name or value"
            )));
        }
    }
    sizes(&[&spec.env, &spec.labels])
}

/// Checks the size of variables and labels together.
pub(super) fn sizes(texts: &[&BTreeMap<String, String>]) -> Result<(), Error> {
    let texts = texts.iter().flat_map(|texts| texts.iter());
    let bytes: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
    if bytes <= SPEC_BYTES {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "variables and labels have more than {SPEC_BYTES} bytes"
        )))
    }
}

fn name(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && name.len() <= NAME_BYTES && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "a name has at most {NAME_BYTES} letters, digits, dashes, dots and underscores, and begins with a letter or digit"
        )))
    }
}

fn user(name: &str) -> Result<(), Error> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    if !starts_well || name.len() > 32 || !name.bytes().all(is_plain) {
        return Err(Error::invalid(format!(
            "{name:?} is not the name of a user: lower-case letters, digits, dashes and underscores"
        )));
    }
    if name == "root" {
        return Err(Error::unsupported(
            "a sandbox of this machine has no user root; help: leave the user out",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Spec), expect: Option<&str>) {
        let mut spec = Spec::default();
        change(&mut spec);
        let images = HashMap::from([("debian".to_owned(), PathBuf::from("/d"))]);
        let error = self::spec(&spec, &images)
            .err()
            .map(|error| error.to_string());
        match (error, expect) {
            (None, None) => {}
            (Some(error), Some(expect)) => assert!(error.contains(expect), "{error}"),
            (error, expect) => panic!("{error:?}, not {expect:?}"),
        }
    }

    #[test]
    fn descriptions_are_checked() {
        check(|_| {}, None);
        for name in ["web", "0", "a.b-c_D", &"x".repeat(NAME_BYTES)] {
            check(|spec| spec.name = Some(name.to_owned()), None);
        }
        for name in [
            "",
            "-x",
            ".x",
            "a b",
            "a/b",
            "ä",
            &"x".repeat(NAME_BYTES + 1),
        ] {
            check(|spec| spec.name = Some(name.to_owned()), Some("a name has"));
        }
        check(|spec| spec.user = Some("dev".to_owned()), None);
        for user in ["", "A", "a:b", "a\nb", &"x".repeat(33)] {
            check(
                |spec| spec.user = Some(user.to_owned()),
                Some("is not the name"),
            );
        }
        check(
            |spec| spec.user = Some("root".to_owned()),
            Some("no user root"),
        );
        check(|spec| spec.image = Some("debian".to_owned()), None);
        check(|spec| spec.image = Some("x".to_owned()), Some("register"));
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
            let set = |spec: &mut Spec| drop(spec.env.insert(name.to_owned(), value.to_owned()));
            check(set, Some("no valid name or value"));
        }
        let large = "x".repeat(SPEC_BYTES);
        check(
            |spec| drop(spec.labels.insert(String::new(), large.clone())),
            None,
        );
        check(
            |spec| drop(spec.env.insert("A".to_owned(), large)),
            Some("more than"),
        );
    }
}
