//! Members of a class that have decorators, or a storage.

use oxc_allocator::Vec as ArenaVec;
use oxc_ast::ast::{
    AccessorProperty, Class, ClassElement, Decorator, Expression, MethodDefinition,
    MethodDefinitionKind, PropertyDefinition, PropertyKey,
};
use oxc_span::{GetSpan, Span};

use super::super::edits::{Piece, offset};
use super::{Finder, Lowering, quoted, text};

/// The name of a member, in code.
struct Name {
    /// An expression that evaluates to the name.
    value: String,
    /// The code after an object that accesses the member.
    access: String,
    /// The code before `in` that tests whether the member exists.
    tested: String,
    is_private: bool,
    /// The name as it is written in a class.
    written: String,
}

/// A member for which decorators are called.
struct Member<'n> {
    kind: &'static str,
    name: &'n Name,
    is_static: bool,
}

impl Lowering {
    pub(super) fn members(&mut self, class: &Class<'_>, finder: &mut Finder<'_>) {
        for element in &class.body.body {
            match element {
                ClassElement::MethodDefinition(method) => self.method(method, finder),
                ClassElement::PropertyDefinition(property) => self.field(property, finder),
                ClassElement::AccessorProperty(accessor) => self.accessor(accessor, finder),
                _ => {}
            }
        }
    }

    /// Removes decorators, and evaluates them into a variable.
    fn list(&mut self, decorators: &[Decorator<'_>], finder: &mut Finder<'_>) -> Option<String> {
        if decorators.is_empty() {
            return None;
        }
        let list = self.variable("", finder);
        self.pending.push(text(format!("{list} = [")));
        for decorator in decorators {
            self.pending
                .push(Piece::Source(decorator.expression.span()));
            self.pending.push(text(", "));
        }
        self.pending.push(text("]"));
        self.pending.push(text(", "));
        Some(list)
    }

    /// Finds a name for a member. A computed key is evaluated a single time, with the pending decorators.
    fn name(
        &mut self,
        key: &PropertyKey<'_>,
        is_computed: bool,
        is_needed: bool,
        finder: &mut Finder<'_>,
    ) -> Name {
        let span = key.span();
        if is_computed {
            let value = if is_needed {
                self.variable("", finder)
            } else {
                String::new()
            };
            if is_needed || !self.pending.is_empty() {
                let mut pieces = vec![text("(")];
                pieces.append(&mut self.pending);
                if is_needed {
                    pieces.push(text(format!("{value} = babelHelpers.propKey(")));
                }
                self.edits.rewrite(Span::empty(span.start), pieces);
                let end = if is_needed { "))" } else { ")" };
                self.edits.insert(span.end, end);
            }
            return Name {
                access: format!("[{value}]"),
                tested: value.clone(),
                written: format!("[{value}]"),
                value,
                is_private: false,
            };
        }
        let written = span.source_text(finder.code).to_owned();
        match key {
            PropertyKey::PrivateIdentifier(_) => Name {
                value: quoted(&written),
                access: format!(".{written}"),
                tested: written.clone(),
                is_private: true,
                written,
            },
            PropertyKey::StaticIdentifier(identifier) => Name {
                value: quoted(&identifier.name),
                access: format!(".{}", identifier.name),
                tested: quoted(&identifier.name),
                is_private: false,
                written,
            },
            _ => {
                let value = key
                    .static_name()
                    .map_or_else(|| written.clone(), |name| quoted(&name));
                Name {
                    access: format!("[{value}]"),
                    tested: value.clone(),
                    value,
                    is_private: false,
                    written,
                }
            }
        }
    }

    fn method(&mut self, method: &MethodDefinition<'_>, finder: &mut Finder<'_>) {
        let list = self.list(&method.decorators, finder);
        let name = self.name(&method.key, method.computed, list.is_some(), finder);
        let Some(list) = list else { return };
        let kind = match method.kind {
            MethodDefinitionKind::Get => "getter",
            MethodDefinitionKind::Set => "setter",
            MethodDefinitionKind::Method | MethodDefinitionKind::Constructor => "method",
        };
        let extras = if method.r#static {
            self.static_extras.clone()
        } else {
            self.instance_extras.clone()
        };
        let extras = extras.unwrap_or_else(|| self.variable("[]", finder));
        if method.r#static {
            self.static_extras = Some(extras.clone())
        } else {
            self.instance_extras = Some(extras.clone())
        }
        let member = Member {
            kind,
            name: &name,
            is_static: method.r#static,
        };
        let descriptor = if name.is_private {
            self.private_method(method, &name, finder)
        } else {
            self.remove(&method.decorators);
            vec![text("null")]
        };
        self.call(&member, descriptor, &list, "null", &extras);
    }

    /// Replaces a private method by a getter of its decorated value; returns the descriptor for its decorators.
    fn private_method(
        &mut self,
        method: &MethodDefinition<'_>,
        name: &Name,
        finder: &mut Finder<'_>,
    ) -> Vec<Piece> {
        let descriptor = self.variable("", finder);
        let (key, prefix, own) = match method.kind {
            MethodDefinitionKind::Get => (
                "get",
                "get ",
                format!(
                    "get {}() {{ return {descriptor}.get.call(this); }}",
                    name.written
                ),
            ),
            MethodDefinitionKind::Set => (
                "set",
                "set ",
                format!(
                    "set {}(value) {{ {descriptor}.set.call(this, value); }}",
                    name.written
                ),
            ),
            _ => (
                "value",
                "",
                format!("get {}() {{ return {descriptor}.value; }}", name.written),
            ),
        };
        let place = if method.r#static { "static " } else { "" };
        self.edits.replace(method.span, format!("{place}{own}"));
        let function = &method.value;
        let words = match (function.r#async, function.generator) {
            (true, true) => "async function* ",
            (true, false) => "async function ",
            (false, true) => "function* ",
            (false, false) => "function ",
        };
        let full = quoted(&format!("{prefix}{}", name.written));
        vec![
            text(format!(
                "{descriptor} = {{ {key}: babelHelpers.setName({words}"
            )),
            Piece::Source(function.span),
            text(format!(", {full}) }}")),
        ]
    }

    fn field(&mut self, property: &PropertyDefinition<'_>, finder: &mut Finder<'_>) {
        let list = self.list(&property.decorators, finder);
        let name = self.name(&property.key, property.computed, list.is_some(), finder);
        let Some(list) = list else { return };
        self.remove(&property.decorators);
        let (values, extras) = (self.variable("[]", finder), self.variable("[]", finder));
        let call = format!("babelHelpers.runInitializers(this, {values}, ");
        match &property.value {
            Some(value) => {
                let (before, after) = naming(value, &name.value);
                self.edits
                    .insert(value.span().start, format!("{call}{before}"));
                self.edits.insert(value.span().end, format!("{after})"));
            }
            None => {
                let bracket = u32::from(property.computed);
                let end = property.key.span().end;
                let rest = &finder.code[end as usize..];
                let bracket = bracket * (offset(rest.find(']').unwrap_or_default()) + 1);
                self.edits
                    .insert(end + bracket, format!(" = {call}void 0)"));
            }
        }
        self.edits
            .insert(property.span.end, after(&extras, property.r#static));
        let member = Member {
            kind: "field",
            name: &name,
            is_static: property.r#static,
        };
        self.call(&member, vec![text("null")], &list, &values, &extras);
    }

    /// Returns the name of an accessor; the expression of a computed name is appended to `head`.
    fn accessor_name(
        &mut self,
        accessor: &AccessorProperty<'_>,
        head: &mut Vec<Piece>,
        finder: &mut Finder<'_>,
    ) -> Name {
        let key = self.variable("", finder);
        if accessor.computed {
            head.append(&mut self.pending);
            head.push(text(format!("{key} = babelHelpers.propKey(")));
            head.push(Piece::Source(accessor.key.span()));
            head.push(text("))"));
            Name {
                value: key.clone(),
                access: format!("[{key}]"),
                tested: key.clone(),
                is_private: false,
                written: format!("[{key}]"),
            }
        } else {
            self.name(&accessor.key, false, true, finder)
        }
    }

    /// Returns the bodies of a decorated private accessor, which are in an object for its decorators, and that object.
    fn private_accessor(
        &mut self,
        [get, set]: [String; 2],
        name: &Name,
        finder: &mut Finder<'_>,
    ) -> ([String; 2], Vec<Piece>) {
        let variable = self.variable("", finder);
        let [getter, setter] =
            ["get", "set"].map(|word| quoted(&format!("{word} {}", name.written)));
        let descriptor = format!(
            "{variable} = {{ get: babelHelpers.setName(function () {get}, {getter}), \
             set: babelHelpers.setName(function (value) {set}, {setter}) }}"
        );
        let bodies = [
            format!("{{ return {variable}.get.call(this); }}"),
            format!("{{ {variable}.set.call(this, value); }}"),
        ];
        (bodies, vec![text(descriptor)])
    }

    fn accessor(&mut self, accessor: &AccessorProperty<'_>, finder: &mut Finder<'_>) {
        let list = self.list(&accessor.decorators, finder);
        let storage = format!("#{}", finder.variable());
        // The whole accessor is rewritten, including a computed key.
        let mut head = vec![text("(")];
        let name = self.accessor_name(accessor, &mut head, finder);
        let place = if accessor.r#static { "static " } else { "" };
        let holder = if accessor.r#static {
            self.original.clone()
        } else {
            "this".to_owned()
        };
        let decorated = list.map(|list| {
            (
                list,
                self.variable("[]", finder),
                self.variable("[]", finder),
            )
        });
        let mut pieces = vec![text(format!("{place}{storage} = "))];
        let values = decorated.as_ref().map(|(_, values, _)| values.as_str());
        initial(accessor, &name.value, values, &mut pieces);
        let get = format!("{{ return {holder}.{storage}; }}");
        let set = format!("{{ {holder}.{storage} = value; }}");
        let ([own_get, own_set], descriptor) = if decorated.is_some() && name.is_private {
            self.private_accessor([get, set], &name, finder)
        } else {
            ([get, set], vec![text("null")])
        };
        pieces.push(text(format!(" {place}get ")));
        if accessor.computed {
            pieces.push(text("["));
            pieces.append(&mut head);
            pieces.push(text("]"));
        } else {
            pieces.push(text(name.written.as_str()))
        }
        pieces.push(text(format!(
            "() {own_get} {place}set {}(value) {own_set}",
            name.written
        )));
        if let Some((_, _, extras)) = &decorated {
            pieces.push(text(after(extras, accessor.r#static)));
        }
        self.edits.rewrite(accessor.span, pieces);
        if let Some((list, values, extras)) = decorated {
            let member = Member {
                kind: "accessor",
                name: &name,
                is_static: accessor.r#static,
            };
            self.call(&member, descriptor, &list, &values, &extras);
        }
    }

    fn remove(&mut self, decorators: &ArenaVec<'_, Decorator<'_>>) {
        for decorator in decorators {
            self.edits.replace(decorator.span, "");
        }
    }

    /// Adds the call of a member's decorators to the class's first block.
    fn call(
        &mut self,
        member: &Member<'_>,
        descriptor: Vec<Piece>,
        list: &str,
        values: &str,
        extras: &str,
    ) {
        let Member {
            kind,
            name,
            is_static,
        } = member;
        let Name {
            value,
            access,
            tested,
            is_private,
            ..
        } = name;
        let mut ways = vec![format!("has: (obj) => {tested} in obj")];
        if *kind != "setter" {
            ways.push(format!("get: (obj) => obj{access}"));
        }
        if !matches!(*kind, "method" | "getter") {
            ways.push(format!("set: (obj, value) => {{ obj{access} = value; }}"));
        }
        let context = format!(
            "{{ kind: \"{kind}\", name: {value}, static: {is_static}, private: {is_private}, \
             access: {{ {} }}, metadata: {} }}",
            ways.join(", "),
            self.metadata
        );
        // The order of `calls`, in which decorators are called: accessors are with the methods.
        let group = usize::from(*kind == "field") * 2 + usize::from(!is_static);
        let target = if *kind == "field" { "null" } else { "this" };
        let calls = &mut self.calls[group];
        calls.push(text(format!("babelHelpers.esDecorate({target}, ")));
        calls.extend(descriptor);
        calls.push(text(format!(", {list}, {context}, {values}, {extras}); ")));
    }
}

/// Returns code that runs the initializers that a field's decorators have added, after the field.
fn after(extras: &str, is_static: bool) -> String {
    if is_static {
        format!("; static {{ babelHelpers.runInitializers(this, {extras}); }}")
    } else {
        format!("; #{extras} = babelHelpers.runInitializers(this, {extras});")
    }
}

/// Returns code around a function or class that gets its name from its place only.
fn naming(value: &Expression<'_>, name: &str) -> (String, String) {
    let is_nameless = match value {
        Expression::ArrowFunctionExpression(_) => true,
        Expression::FunctionExpression(function) => function.id.is_none(),
        Expression::ClassExpression(class) => class.id.is_none(),
        _ => false,
    };
    if is_nameless {
        ("babelHelpers.setName(".to_owned(), format!(", {name})"))
    } else {
        (String::new(), String::new())
    }
}

/// Writes the initial value of an accessor's storage; `values` is the variable of its initializers if it is decorated.
fn initial(
    accessor: &AccessorProperty<'_>,
    name: &str,
    values: Option<&str>,
    pieces: &mut Vec<Piece>,
) {
    if let Some(values) = values {
        pieces.push(text(format!(
            "babelHelpers.runInitializers(this, {values}, "
        )));
    }
    match &accessor.value {
        Some(value) => {
            let (before, after) = naming(value, name);
            pieces.push(text(before));
            pieces.push(Piece::Source(value.span()));
            pieces.push(text(after));
        }
        None => pieces.push(text("void 0")),
    }
    pieces.push(text(if values.is_some() { ");" } else { ";" }));
}
