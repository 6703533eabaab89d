using CsCheck;
using Weir.Groups.Queue;
using Xunit;

namespace Weir.Groups.Tests.Queue;

/// <summary>What a queue keeps of offsets, against plain sets and lists.</summary>
[Trait("Category", "Simulation")]
public sealed class QueueSetsPropertyTests
{
    private static readonly Gen<(long First, long Length)[]> Ranges =
        Gen.Select(Gen.Long[0, 5000], Gen.Frequency((6, Gen.Long[1, 40]), (1, Gen.Long[900, 2500]))).Array[1, 60];

    [Fact]
    public void Settled_set_is_a_set_of_offsets_with_a_floor() => Gen.Select(Gen.Long[0, 1500], Ranges).Sample(
        static (floor, ranges) =>
        {
            var settled = new SettledSet(floor);
            var model = new HashSet<long>();
            foreach (var (first, length) in ranges)
            {
                var offsets = Enumerable.Range(0, (int)length).Select(index => first + index).Where(offset => offset >= floor).ToList();
                var added = offsets.Count(offset => !model.Contains(offset));
                model.UnionWith(offsets);
                Assert.Equal(added, settled.Add(first, first + length - 1));
                var expected = floor;
                while (model.Contains(expected))
                {
                    expected++;
                }

                Assert.Equal(expected, settled.Floor);
                Assert.Equal(model.Count(offset => offset >= expected), settled.CountAbove);
            }

            for (long offset = 0; offset < 8000; offset++)
            {
                Assert.Equal(offset < floor || model.Contains(offset), settled.Contains(offset));
            }

            // As a snapshot carries it.
            var copy = new SettledSet(settled.Floor);
            foreach (var (first, last) in settled.Ranges())
            {
                copy.Add(first, last);
            }

            Assert.Equal((settled.Floor, settled.CountAbove), (copy.Floor, copy.CountAbove));
            Assert.Equal(settled.Ranges(), copy.Ranges());
        },
        iter: 300);

    /// <summary>Every record comes once, none before its time, however few entries there are; pieces are read as the reader reads them.</summary>
    [Fact]
    public void Waiting_set_gives_every_record_once_and_none_early() => Gen.Select(Gen.Int[1, 40], Gen.Int[1, 500].Array[1, 400]).Sample(
        static (maxEntries, dues) =>
        {
            const long nearMs = 50;
            var waiting = new WaitingSet(maxEntries);
            var taken = new HashSet<long>();
            for (var offset = 0; offset < dues.Length; offset++)
            {
                if (waiting.HasRoom)
                {
                    waiting.Add(offset, dues[offset]);
                }
                else
                {
                    waiting.Defer(offset, dues[offset]);
                }
            }

            Assert.Equal(dues.Length, waiting.Count);
            for (long now = 0; now <= 100_000 && taken.Count < dues.Length; now += 10)
            {
                while (waiting.TryTakePiece(now + nearMs, out var first, out var last))
                {
                    for (var offset = first; offset <= last; offset++)
                    {
                        if (dues[offset] > now + (2 * nearMs))
                        {
                            waiting.DeferAgain(offset, dues[offset]);
                        }
                        else if (!taken.Contains(offset))
                        {
                            waiting.Add(offset, dues[offset]);
                        }
                    }

                    waiting.EndPiece(last + 1, last);
                }

                while (waiting.TryComeNear(now + nearMs, out var near))
                {
                    Assert.InRange(dues[near], 0, now + nearMs);
                }

                while (waiting.TryTake(now, out var offset))
                {
                    Assert.InRange(dues[offset], 0, now);
                    taken.Add(offset);
                }
            }

            Assert.Equal(dues.Length, taken.Count);
        },
        iter: 500);
}
