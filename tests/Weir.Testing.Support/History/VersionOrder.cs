using System.Numerics;

namespace Weir.Testing.Support.History;

/// <summary>
/// The offsets of a partition that hold something, in order, each with its rank. Ranks are looked up mostly one after the
/// other, which costs no search. Not thread-safe.
/// </summary>
internal sealed class VersionOrder
{
    private readonly long _first;
    private readonly long[]? _offsets;
    private int _last = -1;

    private VersionOrder(long first, int count, long[]? offsets)
    {
        _first = first;
        _offsets = offsets;
        Count = count;
    }

    public int Count { get; }

    public long OffsetAt(int rank) => _offsets is null ? _first + rank : _offsets[rank];

    /// <summary>The rank of the first offset that is not below this one; <see cref="Count"/> if there is none.</summary>
    public int Rank(long offset)
    {
        if (_offsets is null)
        {
            return (int)Math.Clamp(offset - _first, 0, Count);
        }

        if (_last + 1 < Count && _offsets[_last + 1] == offset)
        {
            return ++_last;
        }

        var found = Array.BinarySearch(_offsets, offset);
        _last = found >= 0 ? found : ~found;
        return _last;
    }

    /// <summary>Takes offsets in any order and more than once. Room is found beforehand: add the extent, then the offsets.</summary>
    public sealed class Builder
    {
        private const int SparseFactor = 64;
        private long _first = long.MaxValue;
        private long _beyond = long.MinValue;
        private long _seen;
        private ulong[]? _bits;
        private List<long>? _list;

        public void Extend(long offset)
        {
            _first = Math.Min(_first, offset);
            _beyond = Math.Max(_beyond, offset + 1);
            _seen++;
        }

        public void Add(long offset)
        {
            if (_bits is null && _list is null)
            {
                // A bit for each offset is less than 8 bytes for each that was seen, unless almost all are missing.
                var length = (UInt128)((Int128)_beyond - _first);
                if (length <= (UInt128)_seen * SparseFactor)
                {
                    _bits = new ulong[(int)((length + 63) / 64)];
                }
                else
                {
                    _list = [];
                }
            }

            if (_bits is not null)
            {
                var bit = offset - _first;
                _bits[bit >> 6] |= 1UL << (int)(bit & 63);
            }
            else
            {
                _list!.Add(offset);
            }
        }

        public VersionOrder Build()
        {
            if (_list is not null)
            {
                var sorted = _list.Distinct().Order().ToArray();
                return new VersionOrder(_first, sorted.Length, sorted);
            }

            var count = (_bits ?? []).Sum(BitOperations.PopCount);
            if (count == 0 || count == _beyond - _first)
            {
                return new VersionOrder(_first, count, null);
            }

            return new VersionOrder(_first, count, Expand(count));
        }

        private long[] Expand(int count)
        {
            var offsets = new long[count];
            var next = 0;
            for (var word = 0; word < _bits!.Length; word++)
            {
                for (var bits = _bits[word]; bits != 0; bits &= bits - 1)
                {
                    offsets[next++] = _first + ((long)word << 6) + BitOperations.TrailingZeroCount(bits);
                }
            }

            return offsets;
        }
    }
}
