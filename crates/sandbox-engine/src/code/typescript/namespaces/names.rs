//! The exports of namespaces, and which names in their blocks refer to them.

use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    BindingIdentifier, Declaration, Expression, IdentifierReference, Program, Statement,
    TSEnumDeclaration, TSImportEqualsDeclaration, TSModuleReference, TSNamespaceDeclaration,
    TSNamespaceDeclarationBody, TSTypeName, VariableDeclarationKind,
};
use oxc_semantic::{Scoping, SymbolFlags, SymbolId};
use oxc_span::Span;
use oxc_syntax::scope::ScopeId;

use super::declared::{Declared, first_name};

/// The names of a text.
pub(super) struct Names<'s> {
    scoping: &'s Scoping,
    spaces: Vec<Space>,
    /// Namespaces and enums by the symbols that declare them.
    by_symbol: HashMap<SymbolId, usize>,
    blocks: HashMap<ScopeId, Block>,
    /// The blocks that contain more than types.
    instantiated: HashSet<ScopeId>,
    aliases: HashMap<SymbolId, Alias>,
}

/// One block of a namespace.
pub(super) struct Block {
    /// The parameter that holds the exports.
    pub(super) object: String,
    space: usize,
    /// The block's own exports that exist as a member only.
    members: HashSet<SymbolId>,
}

/// A namespace with the exports of all its blocks, or an enum.
#[derive(Default)]
struct Space {
    names: HashMap<String, Name>,
    /// Whether one of the blocks is a function.
    has_function: bool,
    /// The number of enums with this name.
    enums: usize,
}

#[derive(Default)]
struct Name {
    is_value: bool,
    space: Option<usize>,
    alias: Option<SymbolId>,
    /// The value if it is constant.
    literal: Option<Span>,
}

/// An alias `import a = path`, in a scope.
struct Alias {
    path: Vec<String>,
    scope: ScopeId,
}

/// The target of a name.
#[derive(Clone, Copy)]
struct Target {
    is_value: bool,
    space: Option<usize>,
}

/// The context of declarations.
#[derive(Clone, Copy)]
struct Place {
    scope: ScopeId,
    /// The enclosing namespace.
    space: Option<usize>,
    /// Whether everything is exported.
    is_ambient: bool,
}

impl<'s> Names<'s> {
    pub(super) fn of(program: &Program<'_>, scoping: &'s Scoping) -> Self {
        let mut names = Self {
            scoping,
            spaces: Vec::new(),
            by_symbol: HashMap::new(),
            blocks: HashMap::new(),
            instantiated: HashSet::new(),
            aliases: HashMap::new(),
        };
        let place = Place {
            scope: program.scope_id(),
            space: None,
            is_ambient: false,
        };
        names.statements(&program.body, place);
        names.name_objects();
        names
    }

    pub(super) fn block(&self, scope: ScopeId) -> &Block {
        &self.blocks[&scope]
    }

    /// Returns whether a block contains more than types.
    pub(super) fn is_instantiated(&self, scope: ScopeId) -> bool {
        self.instantiated.contains(&scope)
    }

    pub(super) fn has_function(&self, symbol: SymbolId) -> bool {
        let space = self.by_symbol.get(&symbol);
        space.is_some_and(|space| self.spaces[*space].has_function)
    }

    /// Returns whether an enum that a block exports is one of several of its name.
    pub(super) fn has_enums(&self, block: &Block, name: &str) -> bool {
        let space = self.spaces[block.space].names.get(name);
        let space = space.and_then(|name| name.space);
        space.is_some_and(|space| self.spaces[space].enums > 1)
    }

    /// Returns the block whose object has the value of a name. In `parameters` of functions, declarations of the body
    /// are not visible.
    pub(super) fn holder(
        &self,
        reference: &IdentifierReference<'_>,
        parameters: &HashMap<ScopeId, Span>,
    ) -> Option<&Block> {
        let id = reference.reference_id.get()?;
        let scope = self.scoping.get_reference(id).scope_id();
        for scope in self.scoping.scope_ancestors(scope) {
            let block = self.blocks.get(&scope);
            let own = self.scoping.get_binding(scope, reference.name);
            let is_seen = |own: &SymbolId| {
                let hides = |parameters: &Span| {
                    parameters.contains_inclusive(reference.span)
                        && !parameters.contains_inclusive(self.scoping.symbol_span(*own))
                };
                self.has_value(*own) && !parameters.get(&scope).is_some_and(hides)
            };
            if let Some(own) = own.filter(is_seen) {
                return block.filter(|block| block.members.contains(&own));
            }
            if let Some(block) = block
                && let Some(name) = self.spaces[block.space].names.get(reference.name.as_str())
                && name.is_value
            {
                return Some(block);
            }
        }
        None
    }

    pub(super) fn literal(&self, block: &Block, name: &str) -> Option<Span> {
        self.spaces[block.space].names.get(name)?.literal
    }

    /// Returns whether an alias stands for a value; returns true if that is not known.
    pub(super) fn is_value(&self, alias: SymbolId) -> bool {
        self.target(alias, DEPTH)
            .is_none_or(|target| target.is_value)
    }

    /// Returns whether an alias is used as a value.
    pub(super) fn is_used(&self, alias: SymbolId) -> bool {
        let mut references = self.scoping.get_resolved_references(alias);
        references.any(|reference| !reference.is_type())
    }

    fn target(&self, symbol: SymbolId, depth: usize) -> Option<Target> {
        let Some(alias) = self.aliases.get(&symbol) else {
            return Some(Target {
                is_value: self.has_value(symbol),
                space: self.by_symbol.get(&symbol).copied(),
            });
        };
        // Aliases may refer to each other in a circle.
        let depth = depth.checked_sub(1)?;
        let (first, rest) = alias.path.split_first()?;
        let mut target = self.first(first, alias.scope, depth)?;
        for name in rest {
            target = self.member(target.space?, name, depth)?;
        }
        Some(target)
    }

    fn first(&self, name: &str, scope: ScopeId, depth: usize) -> Option<Target> {
        self.scoping.scope_ancestors(scope).find_map(|scope| {
            if let Some(own) = self.scoping.get_binding(scope, name.into()) {
                return self.target(own, depth);
            }
            self.member(self.blocks.get(&scope)?.space, name, depth)
        })
    }

    fn member(&self, space: usize, name: &str, depth: usize) -> Option<Target> {
        let name = self.spaces[space].names.get(name)?;
        match name.alias {
            Some(alias) => self.target(alias, depth),
            None => Some(Target {
                is_value: name.is_value,
                space: name.space,
            }),
        }
    }

    /// Records the declarations of statements, and returns whether they are more than types.
    fn statements(&mut self, list: &[Statement<'_>], place: Place) -> bool {
        let mut is_more = false;
        for statement in list {
            is_more |= match Declared::of(statement) {
                Some(declared) => self.declaration(declared, place),
                None => true,
            };
        }
        is_more
    }

    fn declaration(&mut self, declared: Declared<'_, '_>, place: Place) -> bool {
        let is_exported = declared.is_exported || place.is_ambient;
        let owner = place.space.filter(|_| is_exported);
        let is_ambient = place.is_ambient || declared.declaration.declare();
        let place = Place {
            is_ambient,
            ..place
        };
        match declared.declaration {
            Declaration::TSNamespaceDeclaration(namespace) => {
                self.namespace(namespace, owner, place)
            }
            Declaration::TSEnumDeclaration(one) => {
                self.enumeration(one, owner);
                true
            }
            Declaration::TSImportEqualsDeclaration(import) => {
                self.alias(import, owner, place.scope);
                declared.is_exported
            }
            Declaration::TSExternalModuleDeclaration(_) | Declaration::TSGlobalDeclaration(_) => {
                false
            }
            declaration => {
                if let Some(owner) = owner {
                    self.export(declaration, owner, place);
                }
                !declaration.is_type()
            }
        }
    }

    /// Records the declarations of a namespace, and returns whether it is more than types.
    fn namespace(
        &mut self,
        namespace: &TSNamespaceDeclaration<'_>,
        owner: Option<usize>,
        place: Place,
    ) -> bool {
        let space = self.space(&namespace.id, owner);
        let scope = namespace.scope_id();
        let block = Block {
            object: namespace.id.name.to_string(),
            space,
            members: HashSet::new(),
        };
        self.blocks.insert(scope, block);
        let inner = Place {
            scope,
            space: Some(space),
            is_ambient: place.is_ambient,
        };
        let is_instantiated = match &namespace.body {
            TSNamespaceDeclarationBody::TSModuleBlock(body) => self.statements(&body.body, inner),
            TSNamespaceDeclarationBody::TSNamespaceDeclaration(namespace) => {
                self.namespace(namespace, Some(space), inner)
            }
        };
        if !is_instantiated {
            return false;
        }
        self.instantiated.insert(scope);
        self.spaces[space].has_function |= !place.is_ambient;
        if let Some(owner) = owner {
            self.name(owner, &namespace.id).is_value = true;
            if place.is_ambient {
                self.member_only(place.scope, namespace.id.symbol_id());
            }
        }
        true
    }

    fn enumeration(&mut self, one: &TSEnumDeclaration<'_>, owner: Option<usize>) {
        let space = self.space(&one.id, owner);
        self.spaces[space].enums += 1;
        if let Some(owner) = owner {
            self.name(owner, &one.id).is_value = true;
        }
    }

    fn alias(
        &mut self,
        import: &TSImportEqualsDeclaration<'_>,
        owner: Option<usize>,
        scope: ScopeId,
    ) {
        let Some(path) = path(&import.module_reference) else {
            return;
        };
        let symbol = import.id.symbol_id();
        self.aliases.insert(symbol, Alias { path, scope });
        if let Some(owner) = owner {
            let name = self.name(owner, &import.id);
            name.is_value = true;
            name.alias = Some(symbol);
            self.member_only(scope, symbol);
        }
    }

    /// Records the other exports of a block.
    fn export(&mut self, declaration: &Declaration<'_>, owner: usize, place: Place) {
        let Declaration::VariableDeclaration(variables) = declaration else {
            let Some(id) = declaration.id() else { return };
            self.name(owner, id).is_value |= !declaration.is_type();
            if place.is_ambient && !declaration.is_type() {
                self.member_only(place.scope, id.symbol_id());
            }
            return;
        };
        for variable in &variables.declarations {
            for id in variable.id.get_binding_identifiers() {
                self.name(owner, id).is_value = true;
                self.member_only(place.scope, id.symbol_id());
            }
            let is_constant = variables.kind == VariableDeclarationKind::Const;
            if is_constant
                && variable.type_annotation.is_none()
                && let Some(id) = variable.id.get_binding_identifier()
            {
                self.name(owner, id).literal = variable.init.as_ref().and_then(literal);
            }
        }
    }

    fn member_only(&mut self, scope: ScopeId, symbol: SymbolId) {
        if let Some(block) = self.blocks.get_mut(&scope) {
            block.members.insert(symbol);
        }
    }

    fn name(&mut self, space: usize, id: &BindingIdentifier<'_>) -> &mut Name {
        self.spaces[space]
            .names
            .entry(id.name.to_string())
            .or_default()
    }

    /// Returns the namespace or enum that has a name in another, or in its scope if it is not exported.
    fn space(&mut self, id: &BindingIdentifier<'_>, owner: Option<usize>) -> usize {
        let known = match owner {
            Some(owner) => self.name(owner, id).space,
            None => self.by_symbol.get(&id.symbol_id()).copied(),
        };
        let space = known.unwrap_or_else(|| {
            self.spaces.push(Space::default());
            self.spaces.len() - 1
        });
        self.by_symbol.insert(id.symbol_id(), space);
        if let Some(owner) = owner {
            self.name(owner, id).space = Some(space);
        }
        space
    }

    /// Gives each block an object whose name has no other meaning in it.
    fn name_objects(&mut self) {
        let mut ambiguous: Vec<_> = self.ambiguous_blocks().into_iter().collect();
        ambiguous.sort_unstable();
        let unresolved = self.scoping.root_unresolved_references().keys();
        let mut taken: HashSet<String> = unresolved
            .map(|name| name.as_str())
            .chain(self.scoping.symbol_names())
            .map(str::to_owned)
            .collect();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for scope in ambiguous {
            let Some(block) = self.blocks.get_mut(&scope) else {
                continue;
            };
            let number = numbers.entry(block.object.clone()).or_default();
            loop {
                *number += 1;
                let name = format!("{}_{number}", block.object);
                if taken.insert(name.clone()) {
                    block.object = name;
                    break;
                }
            }
        }
    }

    /// Returns the blocks in which their name refers to something else.
    fn ambiguous_blocks(&self) -> HashSet<ScopeId> {
        let scoping = self.scoping;
        let names: HashSet<_> = self.blocks.values().map(|block| &*block.object).collect();
        let mut found = HashSet::new();
        for symbol in scoping.symbol_ids() {
            let name = scoping.symbol_name(symbol);
            if !names.contains(name) || !self.has_value(symbol) {
                continue;
            }
            for scope in scoping.scope_ancestors(scoping.symbol_scope_id(symbol)) {
                let block = self.blocks.get(&scope);
                // The scopes around one that was found were found with it.
                if block.is_some_and(|block| block.object == name) && !found.insert(scope) {
                    break;
                }
            }
        }
        found
    }

    fn has_value(&self, symbol: SymbolId) -> bool {
        let flags = self.scoping.symbol_flags(symbol);
        flags.intersects(SymbolFlags::Value | SymbolFlags::Import)
    }
}

fn path(reference: &TSModuleReference<'_>) -> Option<Vec<String>> {
    let mut path = Vec::new();
    if let TSModuleReference::QualifiedName(name) = reference {
        path.push(name.right.name.to_string());
        let mut left = &name.left;
        while let TSTypeName::QualifiedName(name) = left {
            path.push(name.right.name.to_string());
            left = &name.left;
        }
    }
    path.push(first_name(reference)?.name.to_string());
    path.reverse();
    Some(path)
}

/// Returns the value of a constant that an enum inlines.
fn literal(value: &Expression<'_>) -> Option<Span> {
    match value {
        Expression::StringLiteral(value) => Some(value.span),
        Expression::NumericLiteral(value) => Some(value.span),
        _ => None,
    }
}

/// The maximum number of aliases of aliases.
const DEPTH: usize = 32;
