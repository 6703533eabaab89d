using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Weir.Groups.Queue;

/// <summary>What stands for a key: 128 bits of it. Two keys that share it would only wait for each other.</summary>
/// <param name="High">High half; both are 0 for no key.</param>
/// <param name="Low">Low half.</param>
internal readonly record struct KeyHash(ulong High, ulong Low)
{
    /// <summary>No key: no order.</summary>
    public static KeyHash None => default;

    public bool IsNone => this == None;

    public static KeyHash Of(ReadOnlySpan<byte> key)
    {
        var hash = XxHash128.HashToUInt128(key);
        return new KeyHash((ulong)(hash >> 64), (ulong)hash | 1);
    }
}

/// <summary>The keys of a partition that have a record under way, with the later ones that wait for it. One thread.</summary>
internal sealed class KeyTable
{
    private readonly Dictionary<KeyHash, Key> _keys = [];

    /// <summary>Records that wait for an earlier one of their key.</summary>
    public long LaterCount { get; private set; }

    /// <summary>Whether a record may go on: its key is free, and is its own then. Otherwise it waits.</summary>
    public bool TryTake(KeyHash hash, long offset, long dueMs)
    {
        ref var key = ref CollectionsMarshal.GetValueRefOrAddDefault(_keys, hash, out var exists);
        if (!exists)
        {
            key = new Key { Current = offset };
            return true;
        }

        if (key!.Current != offset)
        {
            (key.Later ??= new Queue<(long, long)>()).Enqueue((offset, dueMs));
            LaterCount++;
            return false;
        }

        return true;
    }

    /// <summary>Whether a record is the one of its key that is under way.</summary>
    public bool IsCurrent(KeyHash hash, long offset) => _keys.TryGetValue(hash, out var key) && key.Current == offset;

    /// <summary>Records of a key that failed for good go where it went, as far as they are known.</summary>
    public void Poison(KeyHash hash)
    {
        if (_keys.TryGetValue(hash, out var key))
        {
            key.IsPoisoned = true;
        }
    }

    /// <summary>
    /// A record of the key is done: the next one, if there is one. A record that is not under way here, as a dead letter that an
    /// earlier coordinator began, releases nothing.
    /// </summary>
    public (long Offset, long DueMs, bool IsPoisoned)? Release(KeyHash hash, long done)
    {
        if (!_keys.TryGetValue(hash, out var key) || key.Current != done)
        {
            return null;
        }

        if (key.Later is { Count: > 0 } later)
        {
            var (offset, dueMs) = later.Dequeue();
            LaterCount--;
            key.Current = offset;
            return (offset, dueMs, key.IsPoisoned);
        }

        _keys.Remove(hash);
        return null;
    }

    public void Clear()
    {
        _keys.Clear();
        LaterCount = 0;
    }

    private sealed class Key
    {
        public long Current;
        public Queue<(long Offset, long DueMs)>? Later;
        public bool IsPoisoned;
    }
}
