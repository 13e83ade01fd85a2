package tokencli_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/tokencli"
	"pubsub/server/tokens"
)

const secret = "0123456789abcdef0123456789abcdef"

func env(values ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(values); i += 2 {
			if values[i] == name {
				return values[i+1]
			}
		}
		return ""
	}
}

func TestTokensAreTaken(t *testing.T) {
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	write := func(name, kind string, der []byte, err error) string {
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	privatePath := write("private.pem", "PRIVATE KEY", privateDER, err)
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	publicPath := write("public.pem", "PUBLIC KEY", publicDER, err)
	for sign, check := range map[string]string{secret: secret, privatePath: publicPath} {
		var out strings.Builder
		args := []string{"-subscribe", "room-*,news", "-publish", "lobby", "-nick", "ann", "-operate", "-for", "10m", "-audience", "chat"}
		require.NoError(t, tokencli.Main(args, env("PUBSUB_TOKEN_KEY", sign), &out))
		v, err := tokens.New(tokens.Options{Key: check, Audience: "chat"})
		require.NoError(t, err)
		claims, err := v.Verify(t.Context(), strings.TrimSpace(out.String()))
		require.NoError(t, err)
		require.Equal(t, "ann", claims.Name)
		require.Equal(t, tokens.Rights{Publish: []string{"lobby"}, Subscribe: []string{"room-*", "news"}, Operate: true}, claims.Rights)
	}
}

func TestWrongUsage(t *testing.T) {
	for sentence, args := range map[string][]string{
		"with which key":  nil,
		"at least 32":     {"-key", "short"},
		"-for must be":    {"-key", secret, "-for", "0s"},
		`"x" is no flag`:  {"-key", secret, "x"},
		"cannot be read":  {"-key", "/nowhere.pem"},
		"not defined: -y": {"-y"},
	} {
		err := tokencli.Main(args, env(), new(strings.Builder))
		require.ErrorIs(t, err, tokencli.ErrUsage)
		require.ErrorContains(t, err, sentence)
	}
	var out strings.Builder
	require.NoError(t, tokencli.Main([]string{"-help"}, env(), &out))
	require.Contains(t, out.String(), "-subscribe")
}
