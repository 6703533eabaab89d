using System.IO.Hashing;

namespace Weir.Storage.Compaction;

/// <summary>
/// The last offset of each key, by a 128-bit hash of the key: keys are not kept, so that the memory does not depend on their
/// length. Never grows. One thread.
/// </summary>
/// <remarks>
/// Two keys with one hash would lose a record. By chance that takes about 2^64 keys; the random seed is there so that nobody
/// can choose keys for it.
/// </remarks>
internal sealed class KeyOffsetMap
{
    public const int SlotBytes = 24;
    private readonly Slot[] _slots;
    private readonly int _maxCount;
    private readonly long _seed;

    public KeyOffsetMap(long budgetBytes, long seed)
    {
        var slots = (int)Math.Clamp(budgetBytes / SlotBytes, 4, Array.MaxLength);
        _slots = new Slot[slots];
        _maxCount = (int)(slots * 4L / 5);
        _seed = seed;
    }

    /// <summary>Keys in it.</summary>
    public int Count { get; private set; }

    /// <summary>Notes a later offset of a key; false, and nothing changed, if the key is new and there is no room.</summary>
    public bool TryPut(ReadOnlySpan<byte> key, long offset)
    {
        ref var slot = ref Find(Hash(key));
        if (slot.NextOffset == 0)
        {
            if (Count == _maxCount)
            {
                return false;
            }

            slot.Hash = Hash(key);
            Count++;
        }

        slot.NextOffset = offset + 1;
        return true;
    }

    /// <summary>The last offset of a key; -1 if the key is not in it.</summary>
    public long Find(ReadOnlySpan<byte> key) => Find(Hash(key)).NextOffset - 1;

    private UInt128 Hash(ReadOnlySpan<byte> key) => XxHash128.HashToUInt128(key, _seed);

    private ref Slot Find(UInt128 hash)
    {
        // The high half times the number of slots: a fair spread for any number of them.
        var at = (int)Math.BigMul((ulong)(hash >> 64), (ulong)_slots.Length, out _);
        while (_slots[at].NextOffset != 0 && _slots[at].Hash != hash)
        {
            at = at + 1 == _slots.Length ? 0 : at + 1;
        }

        return ref _slots[at];
    }

    private struct Slot
    {
        public UInt128 Hash;

        /// <summary>The offset plus one; 0 in an empty slot.</summary>
        public long NextOffset;
    }
}
