namespace Weir.Testing.Support.History;

/// <summary>A list that grows without moving what it holds.</summary>
internal sealed class ChunkedList<T>
    where T : struct
{
    private const int ChunkBits = 14;
    private const int ChunkSize = 1 << ChunkBits;
    private readonly List<T[]> _chunks = [];

    public long Count { get; private set; }

    public ref T this[long index] => ref _chunks[(int)(index >> ChunkBits)][index & (ChunkSize - 1)];

    public void Add(in T item)
    {
        if (Count == (long)_chunks.Count << ChunkBits)
        {
            _chunks.Add(new T[ChunkSize]);
        }

        this[Count++] = item;
    }

    public void AddRange(ReadOnlySpan<T> items)
    {
        foreach (ref readonly var item in items)
        {
            Add(item);
        }
    }
}
