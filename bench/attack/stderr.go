package attack

import (
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// fate is what becomes of the server's log.
type fate int

const (
	kept   fate = iota // the target keeps its end, for errors
	read               // it is read and counted
	unread             // it is a pipe that nobody reads
)

// stderr is where the server logs to, if it is not the target's business.
type stderr struct {
	fate  fate
	pipe  *os.File
	bytes atomic.Int64
	ended chan struct{} // closed when nothing is read any more
}

// redirect goes before the server's command.
func (e *stderr) redirect() string {
	if e.fate == kept {
		return ""
	}
	return "exec 2>{dir}/stderr; "
}

// prepare makes the pipe in the target's folder.
func (e *stderr) prepare(dir string, _ int) (err error) {
	if e.fate == kept {
		return nil
	}
	name := filepath.Join(dir, "stderr")
	if err = unix.Mkfifo(name, 0o600); err != nil {
		return err
	}
	// Without O_RDWR this would wait for the server to open its end. While this
	// end is open the server can write, whether or not it is read.
	if e.pipe, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	if e.fate == read {
		e.ended = make(chan struct{})
		go e.count()
	}
	return nil
}

func (e *stderr) count() {
	defer close(e.ended)
	b := make([]byte, 64<<10)
	for {
		n, err := e.pipe.Read(b)
		e.bytes.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// Close takes the reader away. It may be called again.
func (e *stderr) Close() {
	if e.pipe == nil {
		return
	}
	e.pipe.Close()
	if e.ended != nil {
		<-e.ended
	}
}
