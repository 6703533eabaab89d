using System.Buffers.Binary;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Inputs;

/// <summary>Damages an encoding: flipped bits, cuts, splices, counts and lengths that lie.</summary>
public static class Mutator
{
    private static readonly uint[] Edges =
    [
        0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x1_0000, 100_000, 0x00FF_FFFF,
        0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF,
    ];

    /// <summary>One to four changes.</summary>
    public static byte[] Mutate(byte[] input, SeededRandom random)
    {
        for (var changes = 1 + random.Next(4); changes > 0; changes--)
        {
            input = input.Length == 0 ? Insert(input, random) : random.Next(8) switch
            {
                0 => FlipBit(input, random),
                1 => SetByte(input, random),
                2 => input[..random.Next(input.Length)],
                3 => Splice(input, random),
                4 => Insert(input, random),
                5 => Remove(input, random),
                6 => WriteEdge16(input, random),
                _ => WriteEdge32(input, random),
            };
        }

        return input;
    }

    private static byte[] FlipBit(byte[] input, SeededRandom random)
    {
        input[random.Next(input.Length)] ^= (byte)(1 << random.Next(8));
        return input;
    }

    private static byte[] SetByte(byte[] input, SeededRandom random)
    {
        input[random.Next(input.Length)] = random.Chance(1, 3) ? (byte)0xFF : (byte)random.Next(256);
        return input;
    }

    /// <summary>Copies a piece of the input to another place in it.</summary>
    private static byte[] Splice(byte[] input, SeededRandom random)
    {
        var (from, length) = Piece(input, random);
        var at = random.Next(input.Length + 1);
        return [.. input[..at], .. input.AsSpan(from, length), .. input[at..]];
    }

    private static byte[] Insert(byte[] input, SeededRandom random)
    {
        var bytes = new byte[1 + random.Next(16)];
        random.NextBytes(bytes);
        var at = random.Next(input.Length + 1);
        return [.. input[..at], .. bytes, .. input[at..]];
    }

    private static byte[] Remove(byte[] input, SeededRandom random)
    {
        var (from, length) = Piece(input, random);
        return [.. input[..from], .. input[(from + length)..]];
    }

    private static byte[] WriteEdge16(byte[] input, SeededRandom random)
    {
        if (input.Length >= 2)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(input.AsSpan(random.Next(input.Length - 1)), (ushort)Edge(input, random));
        }

        return input;
    }

    private static byte[] WriteEdge32(byte[] input, SeededRandom random)
    {
        if (input.Length >= 4)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(input.AsSpan(random.Next(input.Length - 3)), Edge(input, random));
        }

        return input;
    }

    /// <summary>An edge of a number's range, or of the input: its length, or a fraction of it, and a little more or less.</summary>
    private static uint Edge(byte[] input, SeededRandom random) => random.Chance(2, 3)
        ? Edges[random.Next(Edges.Length)]
        : (uint)((input.Length / (1 + random.Next(8))) + random.Next(3) - 1);

    private static (int From, int Length) Piece(byte[] input, SeededRandom random)
    {
        var from = random.Next(input.Length);
        return (from, 1 + random.Next(Math.Min(input.Length - from, 64)));
    }
}
