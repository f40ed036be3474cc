// SPDX-License-Identifier: GPL-3.0-or-later
//! The rewriting rules of NAPTR records: extended regular expressions and a replacement
//! (RFC 3402 §3.2).
//!
//! They come from strangers. All states are followed at once (Thompson's construction), so the
//! work is at most the length of the program times that of the number, and both are bounded: there
//! is no expression that takes long.

/// The longest expression; the field holds no more (RFC 3403 §4.1).
const LONGEST: usize = 255;
/// Steps of a program.
const MOST_STEPS: usize = 512;
/// Groups that may be referred to.
const GROUPS: usize = 9;
/// Groups within groups.
const DEEPEST: u8 = 16;
/// The longest result.
const LONGEST_RESULT: usize = 512;

/// A rule that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// A rule: what to look for, and what to put in its place.
#[derive(Debug)]
pub(super) struct Rewrite {
    program: Vec<Step>,
    replacement: Vec<u8>,
    any_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// One octet of these ranges.
    One(Vec<(u8, u8)>),
    /// Only at the beginning.
    Begin,
    /// Only at the end.
    End,
    /// On at both, the first preferred.
    Split(usize, usize),
    /// Remember where we are.
    Save(usize),
    Match,
}

enum Node {
    One(Vec<(u8, u8)>),
    Begin,
    End,
    Group(usize, Box<Self>),
    All(Vec<Self>),
    Either(Vec<Self>),
    Repeat(Box<Self>, u16, Option<u16>),
}

type Saved = [Option<usize>; 2 * (GROUPS + 1)];

impl Rewrite {
    /// Reads `!expression!replacement!flags`, with any delimiter.
    pub(super) fn parse(text: &str) -> Result<Self, Broken> {
        let bytes = text.as_bytes();
        let delimiter = *bytes.first().ok_or(Broken)?;
        let is_bad = delimiter.is_ascii_digit() || b"\\iI".contains(&delimiter);
        if is_bad || bytes.len() > LONGEST || !bytes.is_ascii() {
            return Err(Broken);
        }
        let mut parts = vec![Vec::new()];
        let mut rest = bytes[1..].iter().copied();
        while let Some(byte) = rest.next() {
            let part = parts.last_mut().ok_or(Broken)?;
            match byte {
                b'\\' => {
                    let escaped = rest.next().ok_or(Broken)?;
                    // An escaped delimiter is the letter itself.
                    part.extend((escaped != delimiter).then_some(b'\\'));
                    part.push(escaped);
                }
                _ if byte == delimiter => parts.push(Vec::new()),
                _ => part.push(byte),
            }
        }
        let [expression, replacement, flags] = &parts[..] else { return Err(Broken) };
        let any_case = match flags.as_slice() {
            b"" => false,
            b"i" | b"I" => true,
            _ => return Err(Broken),
        };
        let mut reader = Reader { rest: expression, groups: 0, depth: 0, any_case };
        let node = reader.either()?;
        if !reader.rest.is_empty() {
            return Err(Broken);
        }
        let mut program = Vec::new();
        emit(&mut program, &Node::Group(0, Box::new(node)))?;
        push(&mut program, Step::Match)?;
        Ok(Self { program, replacement: replacement.clone(), any_case })
    }

    /// The text with the first match replaced. None if nothing matches or the result is too long.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let saved = (0..=bytes.len()).find_map(|from| self.run(bytes, from))?;
        let (begin, end) = (saved[0]?, saved[1]?);
        let mut result = bytes[..begin].to_vec();
        let mut rest = self.replacement.iter().copied();
        while let Some(byte) = rest.next() {
            match byte {
                b'\\' => match rest.next()? {
                    digit @ b'1'..=b'9' => {
                        let group = 2 * usize::from(digit - b'0');
                        if let (Some(begin), Some(end)) = (saved[group], saved[group + 1]) {
                            result.extend_from_slice(&bytes[begin..end]);
                        }
                    }
                    escaped => result.push(escaped),
                },
                _ => result.push(byte),
            }
            if result.len() > LONGEST_RESULT {
                return None;
            }
        }
        result.extend_from_slice(&bytes[end..]);
        String::from_utf8(result).ok().filter(|result| result.len() <= LONGEST_RESULT)
    }

    /// Matches from there on; all threads at once, the preferred first.
    fn run(&self, text: &[u8], from: usize) -> Option<Saved> {
        let mut threads = Vec::new();
        let mut matched = None;
        self.follow(
            &mut threads,
            &mut vec![false; self.program.len()],
            0,
            (text, from),
            [None; 20],
        );
        for at in from..=text.len() {
            let mut next = Vec::new();
            let mut seen = vec![false; self.program.len()];
            for (step, saved) in threads.drain(..) {
                match &self.program[step] {
                    Step::Match => {
                        matched = Some(saved);
                        // Those that follow are less preferred.
                        break;
                    }
                    Step::One(ranges) => {
                        let fits = text.get(at).is_some_and(|byte| {
                            let byte =
                                if self.any_case { byte.to_ascii_lowercase() } else { *byte };
                            ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte))
                        });
                        if fits {
                            self.follow(&mut next, &mut seen, step + 1, (text, at + 1), saved);
                        }
                    }
                    Step::Begin | Step::End | Step::Split(..) | Step::Save(_) => {}
                }
            }
            threads = next;
        }
        matched
    }

    /// Adds what can be reached from a step without taking an octet. Each step once, so that loops
    /// over nothing end.
    fn follow(
        &self,
        threads: &mut Vec<(usize, Saved)>,
        seen: &mut [bool],
        step: usize,
        (text, at): (&[u8], usize),
        saved: Saved,
    ) {
        let mut stack = vec![(step, saved)];
        while let Some((step, mut saved)) = stack.pop() {
            if std::mem::replace(&mut seen[step], true) {
                continue;
            }
            match &self.program[step] {
                Step::Split(first, second) => stack.extend([(*second, saved), (*first, saved)]),
                Step::Save(slot) => {
                    saved[*slot] = Some(at);
                    stack.push((step + 1, saved));
                }
                Step::Begin if at == 0 => stack.push((step + 1, saved)),
                Step::End if at == text.len() => stack.push((step + 1, saved)),
                Step::Begin | Step::End => {}
                Step::One(_) | Step::Match => threads.push((step, saved)),
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    groups: usize,
    depth: u8,
    any_case: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let is_it = self.rest.first() == Some(&byte);
        if is_it {
            self.rest = &self.rest[1..];
        }
        is_it
    }

    fn either(&mut self) -> Result<Node, Broken> {
        let mut branches = vec![self.all()?];
        while self.skip(b'|') {
            branches.push(self.all()?);
        }
        Ok(Node::Either(branches))
    }

    fn all(&mut self) -> Result<Node, Broken> {
        let mut nodes = Vec::new();
        while let Some(first) = self.rest.first().copied().filter(|byte| !b"|)".contains(byte)) {
            self.rest = &self.rest[1..];
            let node = self.one(first)?;
            nodes.push(self.repeated(node)?);
        }
        Ok(Node::All(nodes))
    }

    fn one(&mut self, first: u8) -> Result<Node, Broken> {
        match first {
            b'^' => Ok(Node::Begin),
            b'$' => Ok(Node::End),
            b'.' => Ok(Node::One(vec![(0, u8::MAX)])),
            b'[' => self.class(),
            b'(' => {
                self.depth += 1;
                self.groups += 1;
                let group = self.groups;
                if self.depth > DEEPEST {
                    return Err(Broken);
                }
                let inner = self.either()?;
                self.depth -= 1;
                if !self.skip(b')') {
                    return Err(Broken);
                }
                // Groups beyond the ninth cannot be referred to.
                Ok(if group <= GROUPS { Node::Group(group, Box::new(inner)) } else { inner })
            }
            b'\\' => {
                let escaped = self.next().ok_or(Broken)?;
                // References within the expression are no regular language, and in no ERE.
                (!escaped.is_ascii_alphanumeric())
                    .then(|| Node::One(vec![(escaped, escaped)]))
                    .ok_or(Broken)
            }
            b'*' | b'+' | b'?' | b'{' => Err(Broken),
            letter => Ok(Node::One(self.letters(letter, letter))),
        }
    }

    /// The octets between two, small letters for capitals where case does not matter.
    fn letters(&self, low: u8, high: u8) -> Vec<(u8, u8)> {
        if !self.any_case {
            return vec![(low, high)];
        }
        let mut ranges = vec![(low, high)];
        ranges.extend((low..=high).filter(u8::is_ascii_uppercase).map(|letter| {
            let small = letter.to_ascii_lowercase();
            (small, small)
        }));
        ranges
    }

    fn class(&mut self) -> Result<Node, Broken> {
        let is_not = self.skip(b'^');
        let mut ranges = Vec::new();
        loop {
            let low = match self.next().ok_or(Broken)? {
                b']' if !ranges.is_empty() => break,
                b'[' if matches!(self.rest.first(), Some(b':' | b'.' | b'=')) => {
                    ranges.push(self.named_class()?);
                    continue;
                }
                low => low,
            };
            let high = match self.rest {
                [b'-', high, ..] if *high != b']' => {
                    self.rest = &self.rest[2..];
                    *high
                }
                _ => low,
            };
            if low > high {
                return Err(Broken);
            }
            ranges.extend(self.letters(low, high));
        }
        if is_not {
            ranges = (0..=u8::MAX)
                .filter(|byte| !ranges.iter().any(|(low, high)| (*low..=*high).contains(byte)))
                .map(|byte| (byte, byte))
                .collect();
        }
        Ok(Node::One(ranges))
    }

    /// Of the named classes, digits alone are of use in numbers.
    fn named_class(&mut self) -> Result<(u8, u8), Broken> {
        self.rest = self.rest.strip_prefix(b":digit:]").ok_or(Broken)?;
        Ok((b'0', b'9'))
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, Broken> {
        loop {
            let (least, most) = match self.rest.first() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    self.rest = &self.rest[1..];
                    let bounds = self.bounds()?;
                    node = Node::Repeat(Box::new(node), bounds.0, bounds.1);
                    continue;
                }
                _ => return Ok(node),
            };
            self.rest = &self.rest[1..];
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    fn bounds(&mut self) -> Result<(u16, Option<u16>), Broken> {
        let least = self.number().ok_or(Broken)?;
        let most = match self.next().ok_or(Broken)? {
            b'}' => return Ok((least, Some(least))),
            b',' if self.rest.first() == Some(&b'}') => None,
            b',' => Some(self.number().filter(|most| *most >= least).ok_or(Broken)?),
            _ => return Err(Broken),
        };
        if self.skip(b'}') { Ok((least, most)) } else { Err(Broken) }
    }

    fn number(&mut self) -> Option<u16> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits.min(4));
        self.rest = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }
}

fn push(program: &mut Vec<Step>, step: Step) -> Result<(), Broken> {
    program.push(step);
    if program.len() > MOST_STEPS { Err(Broken) } else { Ok(()) }
}

fn emit(program: &mut Vec<Step>, node: &Node) -> Result<(), Broken> {
    match node {
        Node::One(ranges) => push(program, Step::One(ranges.clone())),
        Node::Begin => push(program, Step::Begin),
        Node::End => push(program, Step::End),
        Node::Group(group, inner) => {
            push(program, Step::Save(2 * group))?;
            emit(program, inner)?;
            push(program, Step::Save(2 * group + 1))
        }
        Node::All(nodes) => nodes.iter().try_for_each(|node| emit(program, node)),
        Node::Either(branches) => {
            let mut ends = Vec::new();
            let (last, others) = branches.split_last().ok_or(Broken)?;
            for branch in others {
                let split = program.len();
                push(program, Step::Match)?;
                emit(program, branch)?;
                ends.push(program.len());
                push(program, Step::Match)?;
                program[split] = Step::Split(split + 1, program.len());
            }
            emit(program, last)?;
            let end = program.len();
            for at in ends {
                program[at] = Step::Split(end, end);
            }
            Ok(())
        }
        Node::Repeat(inner, least, most) => repeat(program, inner, *least, *most),
    }
}

fn repeat(
    program: &mut Vec<Step>,
    inner: &Node,
    least: u16,
    most: Option<u16>,
) -> Result<(), Broken> {
    for _ in 0..least {
        let before = program.len();
        emit(program, inner)?;
        // What takes no step can be repeated for ever.
        if program.len() == before {
            break;
        }
    }
    match most {
        None => {
            let split = program.len();
            push(program, Step::Match)?;
            emit(program, inner)?;
            push(program, Step::Split(split, split))?;
            program[split] = Step::Split(split + 1, program.len());
        }
        Some(most) => {
            let mut splits = Vec::new();
            for _ in least..most {
                splits.push(program.len());
                push(program, Step::Match)?;
                emit(program, inner)?;
            }
            let end = program.len();
            for split in splits {
                program[split] = Step::Split(split + 1, end);
            }
        }
    }
    Ok(())
}
