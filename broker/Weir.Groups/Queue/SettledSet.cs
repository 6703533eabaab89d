using System.Numerics;

namespace Weir.Groups.Queue;

/// <summary>
/// The offsets of a partition that are done: all below a floor, and some above, as bits of blocks. A block that is full costs an
/// entry, so that one record that waits holds up nothing but its own block. One thread.
/// </summary>
/// <param name="floor">Everything below is done.</param>
internal sealed class SettledSet(long floor)
{
    private const int BlockBits = 10;
    private const int BlockSize = 1 << BlockBits;
    private static readonly ulong[] Full = [.. Enumerable.Repeat(ulong.MaxValue, BlockSize / 64)];
    private readonly SortedDictionary<long, ulong[]> _blocks = [];

    /// <summary>Everything below is done; the first offset that is not.</summary>
    public long Floor { get; private set; } = floor;

    /// <summary>Offsets above the floor that are done.</summary>
    public long CountAbove { get; private set; }

    /// <summary>Whether an offset is done.</summary>
    public bool Contains(long offset) =>
        offset < Floor || (_blocks.TryGetValue(offset >> BlockBits, out var block) && IsSet(block, offset));

    /// <summary>Adds a range, both ends included; gives how many were not done before.</summary>
    public long Add(long first, long last)
    {
        first = Math.Max(first, Floor);
        long added = 0;
        while (first <= last)
        {
            var end = Math.Min(last, first | (BlockSize - 1));
            added += AddToBlock(first, end);
            first = end + 1;
        }

        CountAbove += added;
        Advance();
        return added;
    }

    /// <summary>Ranges above the floor that are done, in order, both ends included.</summary>
    public IEnumerable<(long First, long Last)> Ranges()
    {
        long first = -1;
        long expected = -1;
        foreach (var (number, block) in _blocks)
        {
            for (var offset = Math.Max(Floor, number << BlockBits); offset < (number + 1) << BlockBits; offset++)
            {
                if (!IsSet(block, offset))
                {
                    continue;
                }

                if (offset != expected)
                {
                    if (first >= 0)
                    {
                        yield return (first, expected - 1);
                    }

                    first = offset;
                }

                expected = offset + 1;
            }
        }

        if (first >= 0)
        {
            yield return (first, expected - 1);
        }
    }

    private static bool IsSet(ulong[] block, long offset) =>
        (block[(offset & (BlockSize - 1)) >> 6] & (1UL << (int)(offset & 63))) != 0;

    private long AddToBlock(long first, long last)
    {
        var number = first >> BlockBits;
        if (!_blocks.TryGetValue(number, out var block))
        {
            if (last - first == BlockSize - 1)
            {
                _blocks[number] = Full;
                return BlockSize;
            }

            _blocks[number] = block = new ulong[BlockSize / 64];
        }

        if (ReferenceEquals(block, Full))
        {
            return 0;
        }

        long added = 0;
        for (var offset = first; offset <= last; offset++)
        {
            ref var word = ref block[(offset & (BlockSize - 1)) >> 6];
            var bit = 1UL << (int)(offset & 63);
            added += (word & bit) == 0 ? 1 : 0;
            word |= bit;
        }

        if (block.AsSpan().IndexOfAnyExcept(ulong.MaxValue) < 0)
        {
            _blocks[number] = Full;
        }

        return added;
    }

    /// <summary>Moves the floor over what is done; blocks below it go.</summary>
    private void Advance()
    {
        while (_blocks.Count > 0 && _blocks.First() is var (number, block) && number <= Floor >> BlockBits)
        {
            if (number < Floor >> BlockBits)
            {
                _blocks.Remove(number);
                continue;
            }

            var word = block[(Floor & (BlockSize - 1)) >> 6] >> (int)(Floor & 63);
            var run = BitOperations.TrailingZeroCount(~word);
            if (run == 0)
            {
                return;
            }

            Floor += run;
            CountAbove -= run;
        }
    }
}
