// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/** A small ERC-1271 account. It takes its owner's signature over the bare hash, so nothing but the text binds it to one account. */
contract OwnedAccount {
    address public owner;

    constructor(address firstOwner) {
        owner = firstOwner;
    }

    function setOwner(address next) external {
        require(msg.sender == owner);
        owner = next;
    }

    function isValidSignature(bytes32 hash, bytes memory signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
        address signer = ecrecover(hash, v, r, s);
        return signer != address(0) && signer == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/** Deploys {OwnedAccount}s to addresses that can be told before (CREATE2). */
contract AccountFactory {
    function create(address owner, bytes32 salt) external returns (address) {
        return address(new OwnedAccount{salt: salt}(owner));
    }

    function addressOf(address owner, bytes32 salt) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(OwnedAccount).creationCode, abi.encode(owner)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, code)))));
    }
}

/** Code that an account delegates to (EIP-7702). It takes every signature. */
contract AcceptsAll {
    function isValidSignature(bytes32, bytes memory) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/** Answers badly, in the way that `mode` names. */
contract HostileAccount {
    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callback, bytes extraData);

    uint256 private immutable mode;
    uint256 private written;

    constructor(uint256 wanted) {
        mode = wanted;
    }

    fallback() external {
        if (mode == 0) revert("no");
        if (mode == 1) {
            // Garbage: the magic value, and more behind it than zeros.
            assembly {
                mstore(0, 0x1626ba7e00000000000000000000000000000000000000000000000000000001)
                return(0, 32)
            }
        }
        if (mode == 2) {
            // The magic value in 4 bytes.
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
        }
        if (mode == 3) {
            // One megabyte that begins with a wrong word.
            assembly {
                return(0x80, 1000000)
            }
        }
        if (mode == 4) {
            while (true) {}
        }
        if (mode == 5) {
            // ERC-3668: asks whoever calls to fetch a URL.
            string[] memory urls = new string[](1);
            urls[0] = "http://127.0.0.1:1/latest/meta-data";
            revert OffchainLookup(address(this), urls, "", 0x00000000, "");
        }
        // It changes state, which a check must not let it do.
        written = 1;
        assembly {
            mstore(0, shl(224, 0x1626ba7e))
            return(0, 32)
        }
    }
}
