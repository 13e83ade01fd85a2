// Platforms tells whether the packages of a module fit other platforms: it checks their
// types, without compiling anything. It takes some seconds where go vet, which compiles all
// that they import, takes a minute for each.
//
//	platforms OS/ARCH … [-- PACKAGE …]
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

func main() {
	platforms, packages := os.Args[1:], []string{"./..."}
	if i := slices.Index(platforms, "--"); i >= 0 {
		platforms, packages = platforms[:i], platforms[i+1:]
	}
	errs := make([]error, len(platforms))
	var all sync.WaitGroup
	for i, platform := range platforms {
		all.Go(func() { errs[i] = check(platform, packages) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// listed is a package as go list tells it.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	DepOnly         bool
}

// check checks packages and all that they import, in the order in which go list tells them:
// each comes after what it imports.
func check(platform string, packages []string) error {
	system, processor, _ := strings.Cut(platform, "/")
	list := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,DepOnly"}, packages...)...)
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("%s: go list: %w", platform, err)
	}
	c := checker{platform, types.SizesFor("gc", processor), map[string]*types.Package{"unsafe": types.Unsafe}}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := c.check(p); err != nil {
			return err
		}
	}
}

// checker knows the packages of one platform that were checked.
type checker struct {
	platform string
	sizes    types.Sizes
	known    map[string]*types.Package
}

func (c *checker) check(p listed) error {
	if p.ImportPath == "unsafe" {
		return nil
	}
	var files []*ast.File
	positions := token.NewFileSet()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(positions, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	var wrong []error
	config := types.Config{
		IgnoreFuncBodies: p.DepOnly, // of others only what they offer counts
		FakeImportC:      true,
		Sizes:            c.sizes,
		Error: func(err error) {
			if !p.DepOnly {
				wrong = append(wrong, fmt.Errorf("%s: %w", c.platform, err))
			}
		},
		Importer: importer(func(path string) (*types.Package, error) {
			if mapped, is := p.ImportMap[path]; is {
				path = mapped
			}
			if known := c.known[path]; known != nil {
				return known, nil
			}
			return nil, fmt.Errorf("%s is not listed", path)
		}),
	}
	c.known[p.ImportPath], _ = config.Check(p.ImportPath, positions, files, nil) // errors are in wrong
	return errors.Join(wrong...)
}

type importer func(path string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }
