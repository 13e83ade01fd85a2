package roster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Rooms that everybody has left take no memory.
func TestEmptyRoomsAreForgotten(t *testing.T) {
	m := NewMemory()
	people := []Person{{"room", "ann"}, {"room", "bob"}, {"other", "ann"}}
	_, err := m.Put(t.Context(), people)
	require.NoError(t, err)
	_, err = m.Take(t.Context(), people[:1])
	require.NoError(t, err)
	require.Len(t, m.rooms, 2)
	_, err = m.Take(t.Context(), people)
	require.NoError(t, err)
	require.Empty(t, m.rooms)
}
