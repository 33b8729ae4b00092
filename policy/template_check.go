package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
)

var (
	inviteType = reflect.TypeFor[*Invite]()
	stringType = reflect.TypeFor[string]()
)

// checker walks a parsed template, refuses what could run long or fail later,
// and for XML puts an escape behind every action.
type checker struct {
	xml    bool
	action bool // an action was seen
}

// list checks nodes in which dot is of type dot; nil when that is not known.
func (c *checker) list(l *parse.ListNode, dot reflect.Type) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := c.node(n, dot); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) node(n parse.Node, dot reflect.Type) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		c.action = true
		if err := c.pipe(n.Pipe, dot); err != nil {
			return err
		}
		if c.xml && len(n.Pipe.Decl) == 0 {
			escape(n.Pipe)
		}
		return nil
	case *parse.IfNode:
		return c.branch(&n.BranchNode, dot, dot)
	case *parse.WithNode:
		return c.branch(&n.BranchNode, dot, c.typeOf(n.Pipe, dot))
	case *parse.RangeNode:
		return errors.New("{{range}} is not offered; use if, else or with")
	}
	return errors.New("only if, else and with are offered between actions")
}

func (c *checker) branch(n *parse.BranchNode, dot, inner reflect.Type) error {
	c.action = true
	if err := c.pipe(n.Pipe, dot); err != nil {
		return err
	}
	if err := c.list(n.List, inner); err != nil {
		return err
	}
	return c.list(n.ElseList, dot)
}

func (c *checker) pipe(p *parse.PipeNode, dot reflect.Type) error {
	for _, cmd := range p.Cmds {
		for _, arg := range cmd.Args {
			if err := c.arg(arg, dot); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) arg(n parse.Node, dot reflect.Type) error {
	switch n := n.(type) {
	case *parse.FieldNode:
		return checkFields(dot, n.Ident)
	case *parse.ChainNode:
		return c.arg(n.Node, dot)
	case *parse.PipeNode:
		return c.pipe(n, dot)
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			return checkFields(inviteType, n.Ident[1:])
		}
	case *parse.IdentifierNode:
		if !offered(n.Ident) {
			return fmt.Errorf("function %q is not offered; there are %s", n.Ident, strings.Join(offeredNames(), ", "))
		}
	}
	return nil
}

// typeOf gives the type that with makes its dot, nil when it is not plain.
func (c *checker) typeOf(p *parse.PipeNode, dot reflect.Type) reflect.Type {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) == 0 {
		return nil
	}
	field, ok := p.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || dot == nil {
		return nil
	}
	t, err := follow(dot, field.Ident)
	if err != nil {
		return nil
	}
	return t
}

func checkFields(dot reflect.Type, idents []string) error {
	if dot == nil {
		return nil
	}
	_, err := follow(dot, idents)
	return err
}

// follow walks .A.B.C from t.
func follow(t reflect.Type, idents []string) (reflect.Type, error) {
	for i, name := range idents {
		next, ok := member(t, name)
		if !ok {
			return nil, fmt.Errorf("there is no .%s; there are %s", strings.Join(idents[:i+1], "."), members(idents[:i], t))
		}
		t = next
	}
	return t, nil
}

func member(t reflect.Type, name string) (reflect.Type, bool) {
	if t == inviteType {
		if name == "Header" || name == "Answer" {
			return stringType, true
		}
		t = t.Elem()
	}
	// Only the plain fields: methods of net/netip and the raw header list are
	// no part of the language.
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[netip.Addr]() || name == "Headers" || name == "Answered" {
		return nil, false
	}
	f, ok := t.FieldByName(name)
	if !ok {
		return nil, false
	}
	return f.Type, true
}

// members lists what can be said after prefix.
func members(prefix []string, t reflect.Type) string {
	if t == inviteType {
		return `.From.User, .To.User, .CallID, .Header "X-Name", .Answer "X-Name" and others`
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[netip.Addr]() {
		return "no fields in ." + strings.Join(prefix, ".")
	}
	var names []string
	for i := range t.NumField() {
		names = append(names, "."+strings.Join(append(prefix[:len(prefix):len(prefix)], t.Field(i).Name), "."))
	}
	return strings.Join(names, ", ")
}

// escape appends "| xml" to a pipeline.
func escape(p *parse.PipeNode) {
	p.Cmds = append(p.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand,
		Args:     []parse.Node{parse.NewIdentifier("xml").SetPos(p.Pos)},
	})
}

// noDefinitions refuses {{define}}, which could call itself without end.
func noDefinitions(t *template.Template) error {
	for _, other := range t.Templates() {
		if other.Name() != t.Name() {
			return errors.New("{{define}} and {{block}} are not offered; use if, else or with")
		}
	}
	return nil
}

// plainText joins the text of a template without actions.
func plainText(l *parse.ListNode) string {
	var b strings.Builder
	for _, n := range l.Nodes {
		if t, ok := n.(*parse.TextNode); ok {
			b.Write(t.Text)
		}
	}
	return b.String()
}
