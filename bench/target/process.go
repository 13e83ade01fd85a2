package target

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a started command with all its children.
type process struct {
	cmd   *exec.Cmd
	log   tail
	ended chan struct{}
}

// stopTimeout is how long a target may take to end before it is killed.
const stopTimeout = 10 * time.Second

func start(command string) (*process, error) {
	p := &process{cmd: exec.Command("sh", "-c", command), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that stop reaches children
	p.cmd.WaitDelay = stopTimeout
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) output() string {
	if text := strings.TrimSpace(p.log.String()); text != "" {
		return "it wrote:\n" + text
	}
	return "it wrote nothing"
}

// stop ends the process and its children.
func (p *process) stop() {
	group := -p.pid()
	syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
	}
	syscall.Kill(group, syscall.SIGKILL) // whoever is left in the group
	<-p.ended
}

// tail keeps the end of what is written to it.
type tail struct {
	textMu sync.Mutex
	text   []byte
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.textMu.Lock()
	defer t.textMu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.textMu.Lock()
	defer t.textMu.Unlock()
	return string(bytes.ToValidUTF8(t.text, []byte("?")))
}
