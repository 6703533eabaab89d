using Weir.Protocol.Fuzz.Messages;
using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Targets;

/// <summary>Takes frames out of a stream that arrives in pieces.</summary>
internal sealed class FrameTarget() : FuzzTarget("FrameAssembler")
{
    private const int InitialBytes = 16 * 1024;

    public override byte[] CreateValid(SeededRandom random)
    {
        var stream = new List<byte>();
        for (var frames = 1 + random.Next(5); frames > 0; frames--)
        {
            var message = MessageCatalog.All[random.Next(MessageCatalog.All.Count)];
            var body = random.Chance(1, 50) ? new byte[random.Next(300_000)] : message.EncodeRandom(random);
            var header = new byte[FrameHeader.Size];
            var kind = (FrameKind)(1 + random.Next(3));
            new FrameHeader(
                body.Length + FrameHeader.Size - FrameHeader.LengthFieldSize, kind, FrameFlags.None, message.Api,
                message.Version, (uint)random.NextUInt64()).Write(header);
            stream.AddRange(header);
            stream.AddRange(body);
        }

        return [.. stream];
    }

    public override void Decode(byte[] input)
    {
        // The pieces follow from the input, so that a replayed input is cut in the same way.
        var random = new SeededRandom((ulong)input.Length, input.Length > 0 ? input[^1] : 0u);
        using var assembler = new FrameAssembler(random.Chance(1, 2) ? InitialBytes : 1024 * 1024);
        var most = random.Chance(1, 2) ? 64 : 100_000;
        for (var received = 0; received < input.Length;)
        {
            var memory = assembler.GetMemory();
            var count = Math.Min(Math.Min(1 + random.Next(most), memory.Length), input.Length - received);
            input.AsSpan(received, count).CopyTo(memory.Span);
            assembler.Advance(count);
            Check(assembler, received);
            received += count;
            ReadAll(assembler, random);
        }
    }

    private static void ReadAll(FrameAssembler assembler, SeededRandom random)
    {
        while (assembler.TryRead(out var header, out var body))
        {
            if (body.Length != header.BodyLength)
            {
                throw new InvalidOperationException($"a body of {body.Length} bytes for {header}");
            }

            if (random.Chance(1, 4))
            {
                using var frame = assembler.Detach(isPooled: random.Chance(1, 2));
                if (frame.Body.Length != header.BodyLength)
                {
                    throw new InvalidOperationException($"a detached body of {frame.Body.Length} bytes for {header}");
                }
            }
        }

        if (random.Chance(1, 8))
        {
            assembler.ReleaseIfEmpty();
        }
    }

    private static void Check(FrameAssembler assembler, int received)
    {
        if (assembler.CapacityBytes > Math.Max(InitialBytes, 2 * received))
        {
            throw new InvalidOperationException($"a buffer of {assembler.CapacityBytes} bytes after {received} had arrived");
        }
    }
}
