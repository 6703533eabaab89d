using Weir.Protocol.Errors;
using Weir.Protocol.Wire;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Protocol.Tests.Wire;

[Trait("Category", "Unit")]
public sealed class FrameAssemblerTests
{
    private const int InitialBytes = 16 * 1024;
    private const int Limit = 4 * 1024 * 1024;

    [Fact]
    public void Frames_are_whole_whatever_pieces_they_arrive_in()
    {
        byte[][] frames = [Frame(0), Frame(1), Frame(40), Frame(7)];
        byte[] stream = [.. frames.SelectMany(static frame => frame)];
        for (var piece = 1; piece <= stream.Length; piece++)
        {
            using var assembler = new FrameAssembler(Limit);

            Assert.Equal(frames.Select(Body), Receive(assembler, stream, () => piece));
            Assert.False(assembler.HasPartialFrame);
        }
    }

    [Fact]
    public void Long_and_short_frames_mixed_are_whole_in_random_pieces()
    {
        var seed = (ulong)Random.Shared.NextInt64();
        var random = new SeededRandom(seed);
        for (var round = 0; round < 60; round++)
        {
            byte[][] frames = [.. Enumerable.Range(0, 12).Select(i => Frame(
                random.Chance(1, 3) ? random.Next(200_000) : random.Next(300), (byte)i))];
            byte[] stream = [.. frames.SelectMany(static frame => frame)];
            using var assembler = new FrameAssembler(Limit);

            var received = Receive(assembler, stream, () => 1 + random.Next(random.Chance(1, 4) ? 100_000 : 2_000));

            Assert.True(frames.Select(Body).SequenceEqual(received, ByteArrays.Comparer), $"seed {seed}, round {round}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(4096)]
    [InlineData(10_001)]
    [InlineData(16_384)]
    [InlineData(50_000)]
    public void The_buffer_never_holds_more_than_twice_what_arrived(int piece)
    {
        var frame = Frame(1_500_000);
        using var assembler = new FrameAssembler(Limit);
        for (var sent = 0; sent < frame.Length;)
        {
            var memory = assembler.GetMemory();
            Assert.False(memory.IsEmpty);
            Assert.InRange(assembler.CapacityBytes, 0, Math.Max(InitialBytes, 2 * sent));
            var count = Math.Min(Math.Min(piece, memory.Length), frame.Length - sent);
            frame.AsSpan(sent, count).CopyTo(memory.Span);
            assembler.Advance(count);
            sent += count;
            Assert.Equal(sent == frame.Length, assembler.TryRead(out _, out _));
        }
    }

    [Fact]
    public void A_length_that_was_received_once_is_taken_at_its_word_the_next_time()
    {
        using var assembler = new FrameAssembler(Limit);
        var frame = Frame(1_000_000);
        Assert.Single(Receive(assembler, frame, () => 100_000));
        assembler.ReleaseIfEmpty();
        Assert.Equal(0, assembler.CapacityBytes);

        Assert.Empty(Receive(assembler, frame[..100], () => 100));
        assembler.GetMemory();

        Assert.InRange(assembler.CapacityBytes, frame.Length, 2 * frame.Length);
    }

    [Fact]
    public void A_length_of_4_GiB_is_refused_without_growing()
    {
        using var assembler = new FrameAssembler(Limit);
        byte[] header = [0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 16, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        header.CopyTo(assembler.GetMemory());
        assembler.Advance(header.Length);

        Assert.Equal(
            ErrorCode.FrameTooLarge, Assert.Throws<ProtocolException>(() => assembler.TryRead(out _, out _)).Code);
        Assert.Throws<ProtocolException>(() => assembler.GetMemory());
        Assert.InRange(assembler.CapacityBytes, 0, InitialBytes);
    }

    [Fact]
    public void A_frame_shorter_than_its_header_is_refused()
    {
        using var assembler = new FrameAssembler(Limit);
        byte[] header = [11, 0, 0, 0, 1, 0, 16, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        header.CopyTo(assembler.GetMemory());
        assembler.Advance(header.Length);

        Assert.Equal(
            ErrorCode.MalformedFrame, Assert.Throws<ProtocolException>(() => assembler.TryRead(out _, out _)).Code);
    }

    [Fact]
    public void The_limit_counts_for_the_frames_after_it_was_raised()
    {
        using var assembler = new FrameAssembler(64);
        Assert.Single(Receive(assembler, Frame(48), () => 64));
        Assert.Throws<ProtocolException>(() => Receive(assembler, Frame(49), () => 65));

        using var raised = new FrameAssembler(64) { MaxFrameBytes = 65 };
        Assert.Single(Receive(raised, Frame(49), () => 65));
    }

    [Fact]
    public void Memory_over_the_budget_is_refused_and_all_of_it_comes_back()
    {
        var budget = new CountingBudget(100_000);
        using (var assembler = new FrameAssembler(Limit, budget))
        {
            var fault = Assert.Throws<ProtocolException>(() => Receive(assembler, Frame(1_000_000), () => 5_000));
            Assert.Equal(ErrorCode.Throttled, fault.Code);
            Assert.Equal(65_536, budget.Reserved);
        }

        Assert.Equal(0, budget.Reserved);
    }

    [Fact]
    public void Short_frames_take_nothing_from_the_budget()
    {
        using var assembler = new FrameAssembler(Limit, new CountingBudget(0));

        Assert.Equal(3, Receive(assembler, [.. Frame(10), .. Frame(16_000), .. Frame(0)], () => 999).Count);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(100, true)]
    [InlineData(100, false)]
    [InlineData(16_368, true)]
    [InlineData(300_000, true)]
    [InlineData(300_000, false)]
    public void A_detached_frame_stays_as_it_was(int bodyBytes, bool isPooled)
    {
        using var assembler = new FrameAssembler(Limit);
        var first = Frame(bodyBytes, fill: 1);
        PooledFrame? detached = null;
        Feed(assembler, first, int.MaxValue, () => detached = assembler.Detach(isPooled));
        Receive(assembler, [.. Frame(bodyBytes, fill: 2), .. Frame(5, fill: 3)], () => 7_000);

        Assert.Equal(Body(first), detached!.Body.ToArray());
        detached.Dispose();
        detached.Dispose();
        Assert.Throws<ObjectDisposedException>(() => detached.Body);
    }

    [Fact]
    public void A_long_pooled_frame_changes_hands_without_a_copy()
    {
        using var assembler = new FrameAssembler(Limit);
        PooledFrame? detached = null;
        var isSameArray = false;
        Feed(assembler, Frame(300_000), int.MaxValue, body =>
        {
            detached = assembler.Detach(isPooled: true);
            isSameArray = detached.Body.Span.Overlaps(body.Span, out var offset) && offset == 0;
        });

        Assert.True(isSameArray);
        Assert.Equal(0, assembler.CapacityBytes);
        detached!.Dispose();
    }

    [Fact]
    public void A_frame_among_others_is_copied_out_and_the_others_are_read_after_it()
    {
        using var assembler = new FrameAssembler(Limit);
        var bodies = new List<byte[]>();
        byte[] stream = [.. Frame(100, 1), .. Frame(200, 2), .. Frame(300, 3)];
        Feed(assembler, stream, int.MaxValue, () =>
        {
            using var frame = assembler.Detach(isPooled: true);
            bodies.Add(frame.Body.ToArray());
        });

        Assert.Equal([Body(Frame(100, 1)), Body(Frame(200, 2)), Body(Frame(300, 3))], bodies);
    }

    private static byte[] Frame(int bodyBytes, byte fill = 0xAB)
    {
        var frame = new byte[FrameHeader.Size + bodyBytes];
        frame.AsSpan(FrameHeader.Size).Fill(fill);
        new FrameHeader(frame.Length - 4, FrameKind.Push, FrameFlags.None, ApiKey.Deliver, 1, 0).Write(frame);
        return frame;
    }

    private static byte[] Body(byte[] frame) => frame[FrameHeader.Size..];

    private static List<byte[]> Receive(FrameAssembler assembler, byte[] stream, Func<int> nextPiece)
    {
        var bodies = new List<byte[]>();
        for (var sent = 0; sent < stream.Length;)
        {
            var piece = Math.Min(nextPiece(), stream.Length - sent);
            Feed(assembler, stream.AsSpan(sent, piece), piece, body => bodies.Add(body.ToArray()));
            sent += piece;
        }

        return bodies;
    }

    private static void Feed(FrameAssembler assembler, ReadOnlySpan<byte> bytes, int piece, Action onFrame) =>
        Feed(assembler, bytes, piece, _ => onFrame());

    private static void Feed(
        FrameAssembler assembler, ReadOnlySpan<byte> bytes, int piece, Action<ReadOnlyMemory<byte>> onFrame)
    {
        while (!bytes.IsEmpty)
        {
            var memory = assembler.GetMemory();
            var count = Math.Min(Math.Min(piece, memory.Length), bytes.Length);
            bytes[..count].CopyTo(memory.Span);
            assembler.Advance(count);
            bytes = bytes[count..];
            while (assembler.TryRead(out _, out var body))
            {
                onFrame(body);
            }
        }
    }

    private sealed class CountingBudget(int limit) : IBufferBudget
    {
        public int Reserved { get; private set; }

        public bool TryReserve(int bytes)
        {
            if (Reserved + bytes > limit)
            {
                return false;
            }

            Reserved += bytes;
            return true;
        }

        public void Release(int bytes) => Reserved -= bytes;
    }
}
